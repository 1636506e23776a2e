package tree

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fedctl/fedctl/pkg/answers"
)

const (
	pageSize = 500
	// leastCounted is what a page counts at least, of the most objects of a list: one that is empty
	// may have another one after it, and so on.
	leastCounted = pageSize / 10
)

// pages has a list read page by page, as far as it has no more objects than most, and no
// more bytes than pages may have together. read returns how many objects a page has, and where the next
// one begins.
func pages(ctx context.Context, most int, read func(context.Context, metav1.ListOptions) (objects int, next string, err error)) error {
	ctx = answers.WithPages(ctx, &answers.Pages{})
	options := metav1.ListOptions{Limit: pageSize}
	for seen := 0; seen < most; {
		objects, next, err := read(ctx, options)
		if err != nil || next == "" {
			return err
		}
		options.Continue = next
		seen += max(objects, leastCounted)
	}
	return fmt.Errorf("there are more than %d", most)
}
