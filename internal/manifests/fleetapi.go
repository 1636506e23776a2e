package manifests

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"net"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/fedctl/fedctl/pkg/kubefedconfig"
)

// FleetAPIService is the name of the APIService, of which a cluster has one.
const FleetAPIService = "v1alpha1.fleet.fedctl.io"

// FleetAPIOptions say how the API server of the fleet is installed.
type FleetAPIOptions struct {
	// Address is HOST:PORT of a server that runs elsewhere, HOST a name and not an IP
	// address; empty: it runs in the cluster.
	Address string
	// Certificate and Key are what it serves with, Authority what has signed that, all in
	// PEM. Without them there is no Secret, and the APIService has no authority.
	Certificate, Key, Authority []byte
}

// FleetAPI builds the API server of the fleet and returns its objects in the order they are
// to be applied in.
func FleetAPI(options Options, fleet FleetAPIOptions) ([]*unstructured.Unstructured, error) {
	options.Namespace = cmp.Or(options.Namespace, kubefedconfig.DefaultNamespace)
	built, err := build(options, "fleet-api")
	if err != nil {
		return nil, err
	}
	elsewhere := options.WithoutController || fleet.Address != ""
	var objects []*unstructured.Unstructured
	for _, object := range built {
		if elsewhere && slices.Contains([]string{"Deployment", "PodDisruptionBudget", "NetworkPolicy"}, object.GetKind()) {
			continue
		}
		if err := fleet.complete(object, options.Namespace); err != nil {
			return nil, err
		}
		objects = append(objects, object)
	}
	if len(fleet.Certificate) > 0 {
		secret, err := fleet.secret(options.Namespace)
		if err != nil {
			return nil, err
		}
		objects = append(objects, secret)
	}
	sortByRank(objects)
	return objects, nil
}

// complete changes an object to what the options say, and to what kustomize cannot.
func (o FleetAPIOptions) complete(object *unstructured.Unstructured, namespace string) error {
	switch kind, name := object.GetKind(), object.GetName(); {
	case kind == "RoleBinding" && name == fleetAuthentication:
		object.SetNamespace(metav1.NamespaceSystem) // it had them all put into one namespace
		object.SetName(kubefedconfig.ClusterWideName(name, namespace))
	case kind == "APIService":
		object.SetNamespace("") // which it does not know to have none
		return o.completeAPIService(object, namespace)
	case kind == "Service" && o.Address != "":
		host, _, err := o.split()
		if err != nil {
			return err
		}
		object.Object["spec"] = map[string]any{"type": "ExternalName", "externalName": host}
	}
	return nil
}

// fleetAuthentication is the binding by which it may read, in kube-system, how the host's
// API server authenticates.
const fleetAuthentication = kubefedconfig.FleetAPI + "-authentication"

func (o FleetAPIOptions) completeAPIService(object *unstructured.Unstructured, namespace string) error {
	if err := unstructured.SetNestedField(object.Object, namespace, "spec", "service", "namespace"); err != nil {
		return err
	}
	if len(o.Authority) > 0 {
		if err := unstructured.SetNestedField(object.Object, base64.StdEncoding.EncodeToString(o.Authority), "spec", "caBundle"); err != nil {
			return err
		}
	}
	if o.Address == "" {
		return nil
	}
	_, port, err := o.split()
	if err != nil {
		return err
	}
	return unstructured.SetNestedField(object.Object, port, "spec", "service", "port")
}

// split is the host and the port of the address.
func (o FleetAPIOptions) split() (host string, port int64, err error) {
	host, text, err := net.SplitHostPort(o.Address)
	if err != nil {
		return "", 0, fmt.Errorf("the address %q is not HOST:PORT", o.Address)
	}
	port, err = strconv.ParseInt(text, 10, 32)
	switch {
	case err != nil || port < 1 || port > 65535:
		return "", 0, fmt.Errorf("the address %q is not HOST:PORT", o.Address)
	case net.ParseIP(host) != nil || len(validation.IsDNS1123Subdomain(host)) > 0:
		return "", 0, fmt.Errorf("the address %q has no name of a host, by which a Service can lead there", o.Address)
	}
	return host, port, nil
}

func (o FleetAPIOptions) secret(namespace string) (*unstructured.Unstructured, error) {
	secret := &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: kubefedconfig.FleetAPI, Labels: map[string]string{PartOfLabel: PartOf}},
		Type:       corev1.SecretTypeTLS,
		Data: map[string][]byte{
			corev1.TLSCertKey: o.Certificate, corev1.TLSPrivateKeyKey: o.Key, corev1.ServiceAccountRootCAKey: o.Authority,
		},
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(secret)
	return &unstructured.Unstructured{Object: content}, err
}

// FleetAPIRouting are the objects by which the host's API server passes requests on to that
// of the fleet, and the latter knows it: they are outside the namespace of the control
// plane, and an APIService that leads nowhere keeps every namespace from being deleted.
func FleetAPIRouting(namespace string) ([]*unstructured.Unstructured, error) {
	all, err := FleetAPI(Options{Namespace: namespace}, FleetAPIOptions{})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(object *unstructured.Unstructured) bool {
		return object.GetKind() != "APIService" && object.GetNamespace() != metav1.NamespaceSystem
	}), nil
}
