package export

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/internal/exported"
)

// pages is a host that has some KubeFedConfigs, and gives as many at a time as it is asked for.
type pages struct {
	client.Client

	count, asked, most int
	// fault answers a request in place of a page.
	fault func(asked int) error
	edit  func(*unstructured.Unstructured)
}

func (p *pages) List(_ context.Context, into client.ObjectList, options ...client.ListOption) error {
	o := client.ListOptions{}
	o.ApplyOptions(options)
	p.asked++
	if p.fault != nil {
		if err := p.fault(p.asked); err != nil {
			return err
		}
	}
	list, ok := into.(*unstructured.UnstructuredList)
	if !ok || o.Limit == 0 {
		return errors.New("not a page")
	}
	first, _ := strconv.Atoi(o.Continue)
	list.Items = nil
	for i := first; i < min(first+int(o.Limit), p.count); i++ {
		u := unstructured.Unstructured{Object: map[string]any{}}
		u.SetGroupVersionKind(exported.Config)
		u.SetNamespace("shop")
		u.SetName(fmt.Sprintf("c-%d", i))
		if p.edit != nil {
			p.edit(&u)
		}
		list.Items = append(list.Items, u)
	}
	p.most = max(p.most, len(list.Items))
	list.SetContinue("")
	if next := first + int(o.Limit); next < p.count {
		list.SetContinue(strconv.Itoa(next))
	}
	return nil
}

func write(t *testing.T, host *pages) (*gathering, string, error) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "export")
	folder, err := exported.Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	g := &gathering{host: host, folder: folder, contents: exported.New("v1", time.Now()), namespaces: map[string]bool{}}
	err = g.sheet(t.Context(), "04-config.yaml", func(ctx context.Context, p *page) error {
		return p.objects(ctx, exported.Config, true, portable)
	})
	return g, dir, err
}

func TestObjectsAreReadPageByPage(t *testing.T) {
	host := &pages{count: 2*pageSize + 1}
	g, _, err := write(t, host)
	if err != nil || g.contents.Objects != host.count || host.most != pageSize || host.asked != 3 {
		t.Errorf("%d objects in %d pages of %d: %v", g.contents.Objects, host.asked, host.most, err)
	}
	if !g.namespaces["shop"] {
		t.Error("their namespace is not known")
	}
}

func TestAListThatHasExpiredIsReadAnew(t *testing.T) {
	expired := func(times int) func(int) error {
		return func(asked int) error {
			if asked%2 == 0 && asked <= 2*times {
				return apierrors.NewResourceExpired("the list has expired")
			}
			return nil
		}
	}
	host := &pages{count: pageSize + 1, fault: expired(mostTries - 1)}
	g, _, err := write(t, host)
	if err != nil || g.contents.Objects != host.count || len(g.contents.Files) != 1 {
		t.Errorf("%d objects in %d files: %v", g.contents.Objects, len(g.contents.Files), err)
	}
	if _, _, err := write(t, &pages{count: pageSize + 1, fault: expired(mostTries)}); !apierrors.IsResourceExpired(err) {
		t.Errorf("it ends with %v", err)
	}
}

func TestAHostThatStopsAnsweringLeavesNoExport(t *testing.T) {
	host := &pages{count: 3 * pageSize, fault: func(asked int) error {
		if asked == 3 {
			return errors.New("connection refused")
		}
		return nil
	}}
	g, dir, err := write(t, host)
	if err == nil || !strings.Contains(err.Error(), "reading KubeFedConfig objects: connection refused") {
		t.Fatal(err)
	}
	if err := g.folder.Abandon(); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(filepath.Dir(dir))
	if err != nil || len(left) > 0 {
		t.Errorf("%v is left: %v", left, err)
	}
}

func TestWhatIsLeftOutIsSaid(t *testing.T) {
	host := &pages{count: 3, edit: func(u *unstructured.Unstructured) {
		switch u.GetName() {
		case "c-0":
			u.SetDeletionTimestamp(&metav1.Time{Time: time.Now()})
		case "c-1":
			u.SetOwnerReferences([]metav1.OwnerReference{{Kind: "Pod", Name: "p"}})
		}
	}}
	g, _, err := write(t, host)
	notes := strings.Join(g.contents.Notes, "\n")
	if err != nil || g.contents.Objects != 2 || !strings.Contains(notes, "1 KubeFedConfig object(s) are being deleted") || !strings.Contains(notes, "1 KubeFedConfig object(s) belong to other objects") {
		t.Errorf("%d objects, %q: %v", g.contents.Objects, notes, err)
	}
}
