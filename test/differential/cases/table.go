package cases

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fedctl/fedctl/test/outcome"
)

// Table is what docs/kubefed.md says of the cases, as Markdown: how many there are and
// how they end, what differs and is meant to, and what is to be mended. It is written
// from the files; that these are true is what the suite proves.
func Table(s *Suite) string {
	b := &strings.Builder{}
	fmt.Fprintf(b, "| %d cases | Cases | The same | Different, as meant | To be mended |\n| --- | --- | --- | --- | --- |\n", len(s.Cases))
	for _, group := range Groups {
		var cases, same, meant, known int
		for _, c := range s.Cases {
			switch {
			case c.Group != group:
				continue
			case len(s.Known.For(c.Name)) > 0:
				known++
			case len(s.Meant.For(c.Name)) > 0:
				meant++
			default:
				same++
			}
			cases++
		}
		fmt.Fprintf(b, "| %s | %d | %s | %s | %s |\n", group, cases, count(same), count(meant), count(known))
	}
	if len(s.Meant.Entries()) > 0 {
		b.WriteString("\nDifferent, as meant:\n\n| | KubeFed | fedctl | Why |\n| --- | --- | --- | --- |\n")
		for _, e := range s.Meant.Entries() {
			fmt.Fprintf(b, "| %s | %s | %s | %s |\n", s.about(e), cell(e.Theirs), cell(e.Ours), cell(e.Why))
		}
	}
	if len(s.Known.Entries()) > 0 {
		b.WriteString("\nTo be mended (as KubeFed does it is right):\n\n| | fedctl today |\n| --- | --- |\n")
		for _, e := range s.Known.Entries() {
			fmt.Fprintf(b, "| %s | %s |\n", s.about(e), cell(e.Why))
		}
	}
	return b.String()
}

func count(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

// about tells the cases of an entry.
func (s *Suite) about(e outcome.Entry) string {
	if e.About != "" {
		return cell(e.About)
	}
	var all []string
	for _, c := range s.Cases {
		named := slices.ContainsFunc(e.Cases, func(pattern string) bool { return outcome.MatchName(pattern, c.Name) })
		if named && !slices.Contains(all, c.About) {
			all = append(all, c.About)
		}
	}
	return cell(strings.Join(all, "; "))
}

// cell makes text fit for a table.
func cell(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", "\\|")
}
