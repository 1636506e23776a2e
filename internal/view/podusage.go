package view

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fedctl/fedctl/pkg/errtext"
)

// PodUsage is what a pod of a member uses, or one of its containers.
type PodUsage struct {
	Cluster   string `json:"cluster"`
	Namespace string `json:"namespace"`
	Pod       string `json:"pod"`
	// Container is empty where all of the pod's are meant.
	Container string `json:"container,omitempty"`
	// CPU is in thousandths of a core, Memory in bytes.
	CPU    int64 `json:"cpuMillicores"`
	Memory int64 `json:"memoryBytes"`
}

// ReadPodUsage reads a list of PodMetrics (metrics.k8s.io) of a member: a row for each pod, or
// for each container.
func ReadPodUsage(cluster string, list []byte, containers bool) ([]PodUsage, error) {
	var read struct {
		Items []struct {
			Metadata   struct{ Name, Namespace string } `json:"metadata"`
			Containers []struct {
				Name  string            `json:"name"`
				Usage map[string]string `json:"usage"`
			} `json:"containers"`
		} `json:"items"`
	}
	if err := json.Unmarshal(list, &read); err != nil {
		return nil, fmt.Errorf("what it says is no list of PodMetrics: %w", err)
	}
	var rows []PodUsage
	for _, item := range read.Items {
		pod := PodUsage{Cluster: cluster, Namespace: errtext.Bounded(item.Metadata.Namespace, wordsOfMember), Pod: errtext.Bounded(item.Metadata.Name, 2*wordsOfMember)}
		for _, c := range item.Containers {
			cpu, memory, err := usage(c.Usage)
			if err != nil {
				return nil, fmt.Errorf("pod %s/%s: %w", pod.Namespace, pod.Pod, err)
			}
			if containers {
				row := pod
				row.Container, row.CPU, row.Memory = errtext.Bounded(c.Name, wordsOfMember), cpu, memory
				rows = append(rows, row)
				continue
			}
			pod.CPU += cpu
			pod.Memory += memory
		}
		if !containers {
			rows = append(rows, pod)
		}
	}
	return rows, nil
}

func usage(of map[string]string) (cpu, memory int64, err error) {
	for name, to := range map[string]*int64{"cpu": &cpu, "memory": &memory} {
		if of[name] == "" {
			continue
		}
		q, err := resource.ParseQuantity(of[name])
		if err != nil {
			return 0, 0, fmt.Errorf("usage.%s: %w", name, err)
		}
		if *to = q.Value(); name == "cpu" {
			*to = q.MilliValue()
		}
	}
	return cpu, memory, nil
}

// SortPodUsage sorts by cluster and name, or, by cpu or memory, the greatest first.
func SortPodUsage(rows []PodUsage, by string) {
	slices.SortStableFunc(rows, func(a, b PodUsage) int {
		most := 0
		switch by {
		case "cpu":
			most = cmp.Compare(b.CPU, a.CPU)
		case "memory":
			most = cmp.Compare(b.Memory, a.Memory)
		}
		return cmp.Or(most, cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Pod, b.Pod))
	})
}

// PodUsageTable lays usage out, as kubectl does.
func PodUsageTable(rows []PodUsage, namespaces, containers bool) *metav1.Table {
	names := []string{"Cluster", "Name", "CPU(cores)", "Memory(bytes)"}
	if containers {
		names = []string{"Cluster", "Pod", "Name", "CPU(cores)", "Memory(bytes)"}
	}
	if namespaces {
		names = slices.Insert(names, 1, "Namespace")
	}
	table := &metav1.Table{}
	for _, name := range names {
		table.ColumnDefinitions = append(table.ColumnDefinitions, metav1.TableColumnDefinition{Name: name, Type: "string"})
	}
	for _, r := range rows {
		cells := []any{r.Cluster}
		if namespaces {
			cells = append(cells, r.Namespace)
		}
		if cells = append(cells, r.Pod); containers {
			cells = append(cells, r.Container)
		}
		table.Rows = append(table.Rows, metav1.TableRow{Cells: append(cells, fmt.Sprintf("%dm", r.CPU), fmt.Sprintf("%dMi", r.Memory>>20))})
	}
	return table
}
