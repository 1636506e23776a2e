package devices

import (
	"strings"

	resourcev1 "k8s.io/api/resource/v1"
)

// Of all classes together: they, their expressions, and how long these are.
const (
	mostClasses       = 64
	mostExpressions   = 256
	mostOfExpressions = 128 << 10
)

// Class is a DeviceClass: its name, and the expressions that a device of it meets.
type Class struct {
	Name        string
	Expressions []string
	// Excessive says that it has more than is taken, and so no expressions.
	Excessive bool
}

// Weight is how many bytes the expressions take.
func (c *Class) Weight() (bytes int) {
	for _, expression := range c.Expressions {
		bytes += 16 + len(expression)
	}
	return bytes
}

// Light is the class without its expressions.
func (c *Class) Light() *Class { return &Class{Name: c.Name, Excessive: true} }

// ClassOf keeps of a DeviceClass what counts.
func ClassOf(class *resourcev1.DeviceClass) *Class {
	c := &Class{Name: class.Name}
	for _, selector := range class.Spec.Selectors {
		if selector.CEL != nil {
			c.Expressions = append(c.Expressions, selector.CEL.Expression)
		}
	}
	if len(c.Name) > mostOfText || len(c.Expressions) > mostExpressions || c.Weight() > mostOfExpressions {
		c.Name = strings.Clone(c.Name[:min(len(c.Name), mostOfText)])
		return c.Light()
	}
	return c
}
