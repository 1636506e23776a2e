package backup

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/federate"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
)

// secretKey is a key of a Secret.
type secretKey struct {
	client.ObjectKey
	key string
}

func (k secretKey) next() string { return k.key + backupv1alpha1.NextPasswordSuffix }

func secretKeyOf(repository *backupv1alpha1.BackupRepository) secretKey {
	ref := repository.Spec.EncryptionSecretRef
	return secretKey{client.ObjectKey{Namespace: repository.Namespace, Name: ref.Name}, cmp.Or(ref.Key, "password")}
}

// passwordHolder is where a password is kept, and the next one beside it.
type passwordHolder interface {
	fmt.Stringer
	read(ctx context.Context) (present, next string, err error)
	// begin adds the next password.
	begin(ctx context.Context, next string) error
	// end makes the next one the present one, in one write, if nobody else has written
	// since read or begin.
	end(ctx context.Context) error
}

// inSecret is a password in a Secret.
type inSecret struct {
	secretKey
	client client.Client
	secret corev1.Secret
}

func (s *inSecret) String() string { return fmt.Sprintf("Secret %s", s.ObjectKey) }

func (s *inSecret) read(ctx context.Context) (present, next string, err error) {
	s.secret = corev1.Secret{}
	if err := s.client.Get(ctx, s.ObjectKey, &s.secret); err != nil {
		return "", "", fmt.Errorf("reading %s: %w", s, err)
	}
	if len(s.secret.Data[s.key]) == 0 {
		return "", "", fmt.Errorf("%s has nothing under the key %s", s, s.key)
	}
	return string(s.secret.Data[s.key]), string(s.secret.Data[s.next()]), nil
}

func (s *inSecret) begin(ctx context.Context, next string) error {
	s.secret.Data[s.next()] = []byte(next)
	return s.write(ctx)
}

func (s *inSecret) end(ctx context.Context) error {
	next, ok := s.secret.Data[s.next()]
	if !ok {
		return nil // here it had been done
	}
	s.secret.Data[s.key] = next
	delete(s.secret.Data, s.next())
	return s.write(ctx)
}

func (s *inSecret) write(ctx context.Context) error {
	if err := s.client.Update(ctx, &s.secret); err != nil {
		return fmt.Errorf("writing %s: %w", s, err)
	}
	return nil
}

var federatedSecrets = schema.GroupVersionKind{Group: "types.kubefed.io", Version: "v1beta1", Kind: "FederatedSecret"}

// inFederatedSecret is a password in the template of a FederatedSecret.
type inFederatedSecret struct {
	secretKey
	client client.Client
	object *unstructured.Unstructured
}

func (s *inFederatedSecret) String() string { return fmt.Sprintf("FederatedSecret %s", s.ObjectKey) }

func (s *inFederatedSecret) read(ctx context.Context) (present, next string, err error) {
	s.object = &unstructured.Unstructured{}
	s.object.SetGroupVersionKind(federatedSecrets)
	if err := s.client.Get(ctx, s.ObjectKey, s.object); err != nil {
		return "", "", fmt.Errorf("reading %s in the host cluster, from which the Secret is propagated: %w", s, err)
	}
	if err := s.checkOverrides(); err != nil {
		return "", "", err
	}
	if present, err = s.get(s.key); err == nil {
		next, err = s.get(s.next())
	}
	if err == nil && present == "" {
		err = fmt.Errorf("the template of %s has nothing under the key %s", s, s.key)
	}
	return present, next, err
}

// checkOverrides refuses what gives clusters passwords of their own.
func (s *inFederatedSecret) checkOverrides() error {
	overrides, _, err := unstructured.NestedSlice(s.object.Object, "spec", "overrides")
	if err != nil {
		return fmt.Errorf("%s: %w", s, err)
	}
	for _, one := range overrides {
		override, _ := one.(map[string]any)
		patches, _, _ := unstructured.NestedSlice(override, "clusterOverrides")
		for _, one := range patches {
			patch, _ := one.(map[string]any)
			path, _ := patch["path"].(string)
			if path == "/data" || path == "/stringData" || strings.HasSuffix(path, "ata/"+s.key) || strings.HasSuffix(path, "ata/"+s.next()) {
				return fmt.Errorf("%s overrides %s for the cluster %v: change that password by hand, as the guide's \"Change a password\" says", s, path, override["clusterName"])
			}
		}
	}
	return nil
}

func (s *inFederatedSecret) get(key string) (string, error) {
	if plain, found, _ := unstructured.NestedString(s.object.Object, "spec", "template", "stringData", key); found {
		return plain, nil
	}
	encoded, _, err := unstructured.NestedString(s.object.Object, "spec", "template", "data", key)
	if err != nil {
		return "", fmt.Errorf("%s: %w", s, err)
	}
	plain, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return "", fmt.Errorf("%s: the key %s is not in base64", s, key)
	}
	return string(plain), nil
}

func (s *inFederatedSecret) set(key, value string) error {
	unstructured.RemoveNestedField(s.object.Object, "spec", "template", "stringData", key)
	return unstructured.SetNestedField(s.object.Object, base64.StdEncoding.EncodeToString([]byte(value)), "spec", "template", "data", key)
}

func (s *inFederatedSecret) begin(ctx context.Context, next string) error {
	if err := s.set(s.next(), next); err != nil {
		return fmt.Errorf("%s: %w", s, err)
	}
	return s.write(ctx)
}

func (s *inFederatedSecret) end(ctx context.Context) error {
	next, err := s.get(s.next())
	if err != nil || next == "" {
		return err
	}
	if err := s.set(s.key, next); err != nil {
		return fmt.Errorf("%s: %w", s, err)
	}
	unstructured.RemoveNestedField(s.object.Object, "spec", "template", "data", s.next())
	unstructured.RemoveNestedField(s.object.Object, "spec", "template", "stringData", s.next())
	return s.write(ctx)
}

func (s *inFederatedSecret) write(ctx context.Context) error {
	// Its status may be written at any time, which is no other password: the spec that
	// was read must still be there.
	fresh := s.object.DeepCopy()
	if err := s.client.Get(ctx, s.ObjectKey, fresh); err != nil {
		return fmt.Errorf("reading %s: %w", s, err)
	}
	if fresh.GetGeneration() != s.object.GetGeneration() {
		return fmt.Errorf("%s was changed meanwhile", s)
	}
	s.object.SetResourceVersion(fresh.GetResourceVersion())
	if err := s.client.Update(ctx, s.object); err != nil {
		return fmt.Errorf("writing %s: %w", s, err)
	}
	return nil
}

// plan finds what changes with a BackupRepository's password.
func (o *passwordOptions) plan(ctx context.Context, c client.Client, of *backupv1alpha1.BackupRepository) (*passwordChange, error) {
	first := secretKeyOf(of)
	secret := &corev1.Secret{}
	if err := c.Get(ctx, first.ObjectKey, secret); err != nil {
		return nil, fmt.Errorf("reading Secret %s: %w", first.ObjectKey, err)
	}
	if secret.Labels[federate.ManagedLabel] == "true" {
		return o.planFederated(ctx, first)
	}
	var list backupv1alpha1.BackupRepositoryList
	if err := c.List(ctx, &list); err != nil {
		return nil, fmt.Errorf("listing the BackupRepositories of %s, of which some may lead to the same place: %w", o.where(), err)
	}
	change, found := &passwordChange{}, together(list.Items, first)
	for _, repository := range found {
		key := secretKeyOf(repository)
		if repository.Spec.ReadOnly && key == first && repository.Status.Location != of.Status.Location {
			return nil, fmt.Errorf("BackupRepository %s/%s reads another place with the same password: give it a Secret of its own first", repository.Namespace, repository.Name)
		}
		change.users = append(change.users, passwordUser{client: c, name: client.ObjectKeyFromObject(repository), secret: key, readOnly: repository.Spec.ReadOnly})
		if !slices.ContainsFunc(change.holders, func(h passwordHolder) bool { return h.(*inSecret).secretKey == key }) {
			change.holders = append(change.holders, &inSecret{secretKey: key, client: c})
		}
	}
	return change, change.check()
}

// check refuses what nobody in these clusters can change.
func (p *passwordChange) check() error {
	if slices.ContainsFunc(p.users, func(u passwordUser) bool { return !u.readOnly }) {
		return nil
	}
	return fmt.Errorf("only BackupRepositories that are read-only use %s: change the password in the cluster that the data belongs to, and then write it into the Secret here", p.holderNames())
}

// together are the BackupRepositories whose password is under a key, those that lead to
// the same places as one of them, and so on.
func together(all []backupv1alpha1.BackupRepository, first secretKey) []*backupv1alpha1.BackupRepository {
	keys, places := map[secretKey]bool{first: true}, map[string]bool{}
	var found []*backupv1alpha1.BackupRepository
	for before := -1; before != len(found); {
		before, found = len(found), nil
		for i := range all {
			repository := &all[i]
			key, place := secretKeyOf(repository), repository.Status.Location
			if !keys[key] && !places[place] {
				continue
			}
			found = append(found, repository)
			keys[key] = true
			if place != "" {
				places[place] = true
			}
		}
	}
	return found
}

// planFederated finds the BackupRepositories in all members that use a Secret which is
// propagated to them.
func (o *passwordOptions) planFederated(ctx context.Context, key secretKey) (*passwordChange, error) {
	fleet, err := newFleet(o.factory, defaultRequestTimeout)
	if err != nil {
		return nil, err
	}
	clusters, err := fleet.clusters(ctx, nil)
	if err != nil {
		return nil, err
	}
	change := &passwordChange{holders: []passwordHolder{&inFederatedSecret{secretKey: key, client: fleet.host}}}
	for i := range clusters {
		name := clusters[i].Name
		member, err := fleet.member(ctx, &clusters[i])
		var list backupv1alpha1.BackupRepositoryList
		if err == nil {
			err = member.List(ctx, &list, client.InNamespace(key.Namespace))
		}
		switch {
		case apierrors.IsNotFound(err):
			continue // it does not know backups
		case err != nil:
			return nil, fmt.Errorf("listing the BackupRepositories of %s, which may use the same FederatedSecret: %w", name, err)
		}
		for i := range list.Items {
			if secretKeyOf(&list.Items[i]) == key {
				change.users = append(change.users, passwordUser{cluster: name, client: member, name: client.ObjectKeyFromObject(&list.Items[i]), secret: key, readOnly: list.Items[i].Spec.ReadOnly})
			}
		}
	}
	return change, change.check()
}
