// Command spdx writes what a program is made of as an SPDX document. goreleaser calls it
// for each program of a release.
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/fedctl/fedctl/hack/image/sbom"
)

func main() {
	version := flag.String("version", "devel", "version of the program")
	created := flag.Int64("created", 0, "time of the commit, in seconds since 1970")
	flag.Parse()
	if flag.NArg() != 2 {
		fmt.Fprintln(os.Stderr, "spdx: PROGRAM and FILE are wanted")
		os.Exit(2)
	}
	if err := write(flag.Arg(0), flag.Arg(1), *version, time.Unix(*created, 0)); err != nil {
		fmt.Fprintln(os.Stderr, "spdx:", err)
		os.Exit(1)
	}
}

func write(program, file, version string, created time.Time) error {
	content, err := os.ReadFile(program) // #nosec G304 -- named by who runs this
	if err != nil {
		return err
	}
	modules := sbom.Modules{}
	if err := modules.Add(program); err != nil {
		return err
	}
	sum := sha256.Sum256(content)
	return sbom.Write(file, sbom.Subject{ID: "Program", Purpose: "APPLICATION", Name: filepath.Base(program), Version: version,
		SHA256: hex.EncodeToString(sum[:]), Created: created}, modules)
}
