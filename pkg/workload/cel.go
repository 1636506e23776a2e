package workload

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/google/cel-go/cel"
	celtypes "github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/ext"

	"github.com/fedctl/fedctl/pkg/api/fedctl/v1alpha1"
)

// What one evaluation may cost, in CEL's own units: each is about one comparison, or ten
// characters of a text. Kubernetes allows an expression of a CustomResourceDefinition ten
// times as much for each request; these are asked for each change of each object.
const mostOfExpression = 1_000_000

// celEnv is CEL with the functions for texts and lists, and optional fields, as in Kubernetes.
// There is no function of it that tells the time or reads anything. It is made when it is
// first asked for: most programs never do.
var celEnv = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(
		cel.Variable("object", cel.DynType),
		cel.OptionalTypes(), cel.CrossTypeNumericComparisons(true), cel.DefaultUTCTimeZone(true),
		ext.Strings(ext.StringsVersion(2)), ext.Sets(),
	)
})

// expression is one that is ready to be evaluated; nil is never true.
type expression struct {
	field   string
	program cel.Program
}

// compileExpression checks an expression; nil of an empty one. want is what comes of it.
func compileExpression(field, text string, want *cel.Type) (*expression, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil //nolint:nilnil // documented
	}
	env, err := celEnv()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", field, err)
	}
	ast, issues := env.Compile(text)
	if issues.Err() != nil {
		return nil, fmt.Errorf("%s: %w", field, issues.Err())
	}
	if out := ast.OutputType(); !out.IsExactType(want) && !out.IsExactType(cel.DynType) {
		return nil, fmt.Errorf("%s: must be a %s, is a %s", field, want, out)
	}
	program, err := env.Program(ast, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(mostOfExpression))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", field, err)
	}
	return &expression{field, program}, nil
}

// value evaluates an expression; nil where a field is not there.
func (e *expression) value(object map[string]any) (ref.Val, error) {
	if e == nil {
		return nil, nil //nolint:nilnil // never true
	}
	out, _, err := e.program.Eval(map[string]any{"object": object})
	switch {
	case err == nil:
		return out, nil
	case strings.Contains(err.Error(), "no such key"):
		return nil, nil //nolint:nilnil // documented
	}
	return nil, errors.New(e.field + ": " + withoutValues(err.Error()))
}

// withoutValues is an error without what it quotes, and what comes after: a conversion or a
// pattern that fails names what it was given, which may be anybody's password with any marks
// in it.
func withoutValues(text string) string {
	if i := strings.IndexAny(text, "\"'`"); i >= 0 {
		return text[:i] + "…"
	}
	return text
}

// celHealth judges by expressions.
type celHealth struct{ healthy, degraded, suspended, message *expression }

// compileHealth makes a rule of expressions, or says which of them cannot be carried out.
func compileHealth(in *v1alpha1.Health) (rule, error) {
	var h celHealth
	var errs []error
	for _, e := range []struct {
		name, text string
		to         **expression
		want       *cel.Type
	}{
		{"healthy", in.Healthy, &h.healthy, cel.BoolType}, {"degraded", in.Degraded, &h.degraded, cel.BoolType},
		{"suspended", in.Suspended, &h.suspended, cel.BoolType}, {"message", in.Message, &h.message, cel.StringType},
	} {
		compiled, err := compileExpression("spec.health."+e.name, e.text, e.want)
		*e.to = compiled
		errs = append(errs, err)
	}
	return h.judge, errors.Join(errs...)
}

func (h *celHealth) judge(object map[string]any) Health {
	for _, asked := range []struct {
		expression *expression
		status     HealthStatus
	}{{h.degraded, Degraded}, {h.suspended, Suspended}, {h.healthy, Healthy}} {
		out, err := asked.expression.value(object)
		if err != nil {
			return Health{Unknown, err.Error()}
		}
		if out == celtypes.True {
			return h.said(asked.status, object)
		}
	}
	return h.said(Progressing, object)
}

// said adds the message.
func (h *celHealth) said(status HealthStatus, object map[string]any) Health {
	if status == Healthy {
		return Health{Status: Healthy}
	}
	out, err := h.message.value(object)
	if err != nil {
		return Health{status, err.Error()}
	}
	if text, ok := out.(celtypes.String); ok {
		return Health{status, string(text)}
	}
	return Health{status, ""}
}
