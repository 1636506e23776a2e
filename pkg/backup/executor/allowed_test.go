package executor

import (
	"errors"
	"strings"
	"testing"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/repository"
)

func TestAllowed(t *testing.T) {
	secret := &v1alpha1.LocalReference{Name: "s"}
	directory := func(path string) v1alpha1.BackupRepositorySpec {
		return v1alpha1.BackupRepositorySpec{Filesystem: &v1alpha1.FilesystemRepository{Path: path}}
	}
	roots := &Allowed{FilesystemRoots: []string{"/data/backups", "/mnt/"}}
	ownS3 := v1alpha1.BackupRepositorySpec{S3: &v1alpha1.S3Repository{Bucket: "b"}}
	ownGCS := v1alpha1.BackupRepositorySpec{GCS: &v1alpha1.GCSRepository{Bucket: "b"}}
	for name, test := range map[string]struct {
		allowed *Allowed
		spec    v1alpha1.BackupRepositorySpec
		says    string // empty: it is allowed
	}{
		"anything, without limits":            {nil, directory("/etc"), ""},
		"own identity, without limits":        {nil, ownS3, ""},
		"a directory, and there is no root":   {&Allowed{}, directory("/data"), "may use no directory"},
		"a root":                              {roots, directory("/data/backups"), ""},
		"a root with a slash":                 {roots, directory("/mnt"), ""},
		"beneath a root":                      {roots, directory("/mnt/a/b"), ""},
		"above a root":                        {roots, directory("/data"), "only what is in /data/backups, /mnt/"},
		"beside a root, with its name before": {roots, directory("/data/backups-of-others"), "spec.filesystem.path is /data/backups-of-others"},
		"out of a root":                       {roots, directory("/mnt/../etc"), "only what is in"},
		"S3 with credentials":                 {&Allowed{}, v1alpha1.BackupRepositorySpec{S3: &v1alpha1.S3Repository{CredentialsSecretRef: secret}}, ""},
		"S3 without":                          {roots, ownS3, "spec.s3.credentialsSecretRef is missing"},
		"S3 without, own identity":            {&Allowed{OwnIdentity: true}, ownS3, ""},
		"GCS with credentials":                {&Allowed{}, v1alpha1.BackupRepositorySpec{GCS: &v1alpha1.GCSRepository{CredentialsSecretRef: secret}}, ""},
		"GCS without":                         {&Allowed{}, ownGCS, "spec.gcs.credentialsSecretRef is missing"},
		"GCS without, own identity":           {&Allowed{OwnIdentity: true}, ownGCS, ""},
		"Azure":                               {&Allowed{}, v1alpha1.BackupRepositorySpec{Azure: &v1alpha1.AzureRepository{CredentialsSecretRef: *secret}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			storage, err := repository.StorageOf(&test.spec)
			if err != nil {
				t.Fatal(err)
			}
			err = test.allowed.check(storage.Own())
			if test.says == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			var why *problem
			if !errors.As(err, &why) || why.reason != reasonNotAllowed || !strings.Contains(why.message, test.says) {
				t.Errorf("got %v, want a problem that says %q", err, test.says)
			}
		})
	}
}
