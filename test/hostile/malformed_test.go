package hostile_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"

	"github.com/fedctl/fedctl/test/hostile"
)

// answer is what a member answers, and what is then said of it in the status of what it
// is to hold.
type answer struct {
	mode    hostile.Mode
	verdict gomegatypes.GomegaMatcher
}

const unread = "CachedRetrievalFailed: "

var (
	isUnread = HavePrefix(unread)
	// understood is what can be taken for an answer. What was written is not there: it is
	// written again, as often as drift is put right.
	understood = Or(Equal(ok), HavePrefix("Drifted: "))
	silent     = Equal("CreationTimedOut: the cluster has not listed its objects of the type yet")
)

// item is an object in a list, with more of its metadata or of itself.
func item(metadata, rest string) string {
	return `{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"settings","namespace":"` + ns +
		`","uid":"u","resourceVersion":"2","labels":{"kubefed.io/managed":"true"}` + metadata + `}` + rest + `}`
}

func listOf(items string) string {
	return `{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"2"},"items":[` + items + `]}`
}

// lists are answers to who lists objects.
func lists() map[string]answer {
	answers := map[string]answer{}
	for name, text := range map[string]string{
		"nothing":             ``,
		"a null":              `null`,
		"a number":            `7`,
		"a string":            `"list"`,
		"a list":              `[]`,
		"an empty object":     `{}`,
		"no JSON":             `<html>sorry</html>`,
		"cut off":             listOf(item("", ""))[:100],
		"two at once":         listOf("") + listOf(""),
		"no kind":             `{"apiVersion":"v1","items":[]}`,
		"items is an object":  `{"kind":"ConfigMapList","apiVersion":"v1","metadata":{},"items":{"a":1}}`,
		"items is a string":   `{"kind":"ConfigMapList","apiVersion":"v1","metadata":{},"items":"none"}`,
		"an item is a number": listOf(`7`),
		"an item is a list":   listOf(`[[]]`),
		"metadata is a list":  listOf(`{"kind":"ConfigMap","apiVersion":"v1","metadata":[]}`),
		"labels is a string":  listOf(`{"metadata":{"name":"o","labels":"none"}}`),
		"labels of numbers":   listOf(`{"metadata":{"name":"o","labels":{"a":1}}}`),
		"a time that is none": listOf(item(`,"creationTimestamp":"yesterday"`, "")),
	} {
		answers["list: "+name] = answer{hostile.Listing(text), isUnread}
	}
	// What these say can be understood: the member has no objects, or this one.
	for name, text := range map[string]string{
		"another kind":         `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"p"}}`,
		"an item is null":      listOf(`null`),
		"no metadata":          listOf(`{"kind":"ConfigMap","apiVersion":"v1"}`),
		"no UTF-8":             listOf(item(`,"annotations":{"a":"`+"\xff\xfe"+`"}`, "")),
		"a version of letters": strings.Replace(listOf(item("", "")), `"metadata":{"resourceVersion":"2"}`, `"metadata":{"resourceVersion":"new"}`, 1),
	} {
		answers["list: "+name] = answer{hostile.Listing(text), understood}
	}
	return answers
}

// streams are what watches tell, before they tell nothing more, or end.
func streams() map[string]answer {
	answers := map[string]answer{}
	for name, text := range map[string]string{
		"no JSON":             "sorry\n",
		"a null":              "null\n",
		"an empty event":      "{}\n",
		"another type":        `{"type":"RENAMED","object":` + item("", "") + "}\n",
		"an object of null":   `{"type":"ADDED","object":null}` + "\n",
		"an object of a kind": `{"type":"ADDED","object":{"kind":"Nothing","apiVersion":"v0"}}` + "\n",
		"an error of nothing": `{"type":"ERROR","object":{}}` + "\n",
		"a deletion of none":  `{"type":"DELETED","object":` + item("", "") + "}\n",
	} {
		answers["watch: "+name] = answer{hostile.Streaming(text), Or(understood, silent)}
	}
	return answers
}

// poison are objects that are as large, as deep and as strange as they can be.
func poison() map[string]answer {
	const depth = 9000
	answers := map[string]answer{}
	for name, text := range map[string]string{
		"1.4 MB":             item(`,"annotations":{"a":"`+strings.Repeat("x", 1_400_000)+`"}`, ""),
		"9,000 levels":       item("", `,"data":`+strings.Repeat(`{"a":`, depth)+"1"+strings.Repeat("}", depth)),
		"9,000 lists":        item("", `,"data":`+strings.Repeat("[", depth)+strings.Repeat("]", depth)),
		"control characters": item(`,"annotations":{"a":"\u001b[31m\u0000\u202e"}`, ""),
	} {
		answers["listed: "+name] = answer{hostile.Listing(listOf(text)), understood}
		answers["answered: "+name] = answer{hostile.Answering(text), understood}
	}
	return answers
}

// storms are answers to whatever is asked of a resource.
func storms() map[string]answer {
	return map[string]answer{
		"endless pages":     {hostile.EndlessPages, HavePrefix(unread + "the list has more than")},
		"wrong kinds":       {hostile.WrongKinds, isUnread},
		"too many requests": {hostile.TooManyRequests, HavePrefix(unread + "later")},
		"internal errors":   {hostile.Broken, HavePrefix(unread + "broken")},
		"redirects":         {hostile.Redirecting("https://127.0.0.1:1"), HavePrefix(unread + "GET /api/v1/configmaps: the answer is a redirect")},
		"a watch that ends": {hostile.Ending, silent},
	}
}

var _ = Describe("Hostile members, all at the same time", Ordered, ContinueOnFailure, func() {
	cases := map[string]answer{}
	for _, table := range []map[string]answer{lists(), streams(), poison(), storms()} {
		maps.Copy(cases, table)
	}
	enemies := map[string]*enemy{}

	BeforeAll(func(ctx SpecContext) {
		for i, name := range slices.Sorted(maps.Keys(cases)) {
			enemies[name] = enlist(ctx, fmt.Sprintf("hostile-%02d", i), configMaps, cases[name].mode)
		}
		ready(ctx, slices.Collect(maps.Values(enemies))...)
	}, NodeTimeout(10*time.Minute))

	It("delay nobody else", func(ctx SpecContext) { isServed(ctx) }, SpecTimeout(8*time.Minute))

	It("each fail alone, or are understood", func(ctx SpecContext) {
		for _, name := range slices.Sorted(maps.Keys(cases)) {
			Eventually(ctx, enemies[name].verdict).WithArguments(settings).Should(cases[name].verdict, name)
		}
	}, SpecTimeout(10*time.Minute))

	It("are not asked over and over", func(ctx SpecContext) {
		const most = 20
		before := map[string]int64{}
		for name, e := range enemies {
			before[name] = e.Watched()
		}
		Consistently(ctx, func(g Gomega) {
			for name, e := range enemies {
				g.Expect(e.Watched()-before[name]).To(BeNumerically("<", most), name)
			}
		}).WithTimeout(5 * time.Second).Should(Succeed())
	}, SpecTimeout(3*time.Minute))

	It("are served when they are well again", func(ctx SpecContext) {
		before := map[string]int64{}
		for name, e := range enemies {
			e.Become(hostile.Harmless)
			e.Disconnect()
			before[name] = e.Written()
		}
		isServed(ctx)
		for name, e := range enemies {
			Eventually(ctx, e.verdict).WithArguments(settings).Should(understood, name)
			Eventually(e.Written).Should(BeNumerically(">", before[name]), name)
		}
	}, SpecTimeout(8*time.Minute))
})
