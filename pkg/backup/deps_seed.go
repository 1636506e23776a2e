// Package backup holds no code yet; this file keeps the modules that its folders will import.
package backup

import (
	_ "github.com/kopia/kopia/fs/virtualfs"
	_ "github.com/kopia/kopia/repo"
	_ "github.com/kopia/kopia/repo/blob/azure"
	_ "github.com/kopia/kopia/repo/blob/filesystem"
	_ "github.com/kopia/kopia/repo/blob/gcs"
	_ "github.com/kopia/kopia/repo/blob/s3"
	_ "github.com/kopia/kopia/repo/maintenance"
	_ "github.com/kopia/kopia/snapshot/policy"
	_ "github.com/kopia/kopia/snapshot/snapshotfs"
	_ "github.com/kopia/kopia/snapshot/snapshotmaintenance"
	_ "github.com/kopia/kopia/snapshot/upload"
	_ "github.com/robfig/cron/v3"
)
