package union

import "fmt"

// Mapping is where the columns of one cluster's table are in that of all: for each column
// of all the one of the cluster's, or -1.
type Mapping struct {
	from  []int
	cells int
}

// MappingOf maps the columns of a cluster into those of all.
func MappingOf(all, cluster Columns) Mapping {
	m := Mapping{cells: len(cluster)}
	for _, column := range all {
		m.from = append(m.from, cluster.index(column.Name))
	}
	return m
}

// AppendRow writes a row with the cluster in front, and the object in it with a mark.
func AppendRow(to, row []byte, m Mapping, mark Mark) ([]byte, error) {
	var cells [][]byte
	to = append(to, '{')
	begin := len(to)
	for key, value := range pairs(row) {
		if key == "cells" {
			for cell := range elements(value) {
				cells = append(cells, cell)
			}
			continue
		}
		if len(to) > begin {
			to = append(to, ',')
		}
		to = append(appendText(to, key), ':')
		if key != "object" || isNull(value) {
			to = append(to, value...)
			continue
		}
		var err error
		if to, err = AppendObject(to, value, mark); err != nil {
			return to, err
		}
	}
	if len(cells) != m.cells {
		return to, fmt.Errorf("it has a row of %d cells below %d columns", len(cells), m.cells)
	}
	if len(to) > begin {
		to = append(to, ',')
	}
	to = appendText(append(to, `"cells":[`...), mark.Cluster)
	for _, from := range m.from {
		to = append(to, ',')
		if from < 0 {
			to = append(to, "null"...)
		} else {
			to = append(to, cells[from]...)
		}
	}
	return append(to, "]}"...), nil
}

// ObjectOf is the object in a row; nil if there is none.
func ObjectOf(row []byte) []byte {
	for key, value := range pairs(row) {
		if key == "object" && !isNull(value) {
			return value
		}
	}
	return nil
}
