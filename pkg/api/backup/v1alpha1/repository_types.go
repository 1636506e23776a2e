package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// BackupRepository is a place that Backups write to. What is in it belongs to one
// cluster; another cluster's repository is never written to.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=bkrepo,categories=backup-all
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Intact",type=string,JSONPath=`.status.conditions[?(@.type=="Intact")].status`
// +kubebuilder:printcolumn:name="Location",type=string,JSONPath=`.status.location`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type BackupRepository struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec BackupRepositorySpec `json:"spec"`
	// +optional
	Status BackupRepositoryStatus `json:"status,omitempty"`
}

// BackupRepositoryList is a list of BackupRepositories.
//
// +kubebuilder:object:root=true
type BackupRepositoryList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []BackupRepository `json:"items"`
}

// BackupRepositorySpec says where the repository is.
//
// +kubebuilder:validation:XValidation:rule="[has(self.s3), has(self.gcs), has(self.azure), has(self.filesystem)].exists_one(set, set)",message="exactly one of s3, gcs, azure and filesystem must be set"
type BackupRepositorySpec struct {
	// S3 is a bucket of an S3 server.
	// +optional
	S3 *S3Repository `json:"s3,omitempty"`
	// GCS is a bucket of Google Cloud Storage.
	// +optional
	GCS *GCSRepository `json:"gcs,omitempty"`
	// Azure is a container of Azure Blob Storage.
	// +optional
	Azure *AzureRepository `json:"azure,omitempty"`
	// Filesystem is a directory that the executor can write to.
	// +optional
	Filesystem *FilesystemRepository `json:"filesystem,omitempty"`
	// EncryptionSecretRef names the password that the data is encrypted with. Without
	// it nobody can read the repository: keep a copy outside the cluster. To change it, put
	// the next one under the same key with .new at its end, as "fedctl backup repository
	// change-password" does.
	EncryptionSecretRef SecretKeyReference `json:"encryptionSecretRef"`
	// ReadOnly repositories are only read: Restores can name them, Backups cannot. The
	// data may then belong to another cluster, which is how it is restored into this one.
	// +optional
	ReadOnly bool `json:"readOnly,omitempty"`
}

// S3Repository is a bucket of an S3 server.
type S3Repository struct {
	// Endpoint of the server, https://host[:port] or http://host[:port]; AWS by default.
	// +kubebuilder:validation:MaxLength=500
	// +kubebuilder:validation:Pattern=`^https?://[^/]+/?$`
	// +optional
	Endpoint string `json:"endpoint,omitempty"`
	// Bucket to use; it must exist.
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=63
	Bucket string `json:"bucket"`
	// Region of the bucket.
	// +optional
	Region string `json:"region,omitempty"`
	// Prefix of all names in the bucket. Clusters that share a bucket need different ones.
	// +kubebuilder:validation:MaxLength=500
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('/')",message="must not start with /"
	// +optional
	Prefix string `json:"prefix,omitempty"`
	// CredentialsSecretRef names a Secret with the keys accessKeyID and
	// secretAccessKey, and sessionToken if there is one; without it the executor's
	// own identity is used.
	// +optional
	CredentialsSecretRef *LocalReference `json:"credentialsSecretRef,omitempty"`
	// CABundle verifies the server, in PEM; the system's by default.
	// +optional
	CABundle []byte `json:"caBundle,omitempty"`
}

// GCSRepository is a bucket of Google Cloud Storage.
type GCSRepository struct {
	// Bucket to use; it must exist.
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=222
	Bucket string `json:"bucket"`
	// Prefix of all names in the bucket. Clusters that share a bucket need different ones.
	// +kubebuilder:validation:MaxLength=500
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('/')",message="must not start with /"
	// +optional
	Prefix string `json:"prefix,omitempty"`
	// CredentialsSecretRef names a Secret with the key serviceAccountKey, a service
	// account's key in JSON as Google Cloud gives it; without it the executor's own
	// identity is used.
	// +optional
	CredentialsSecretRef *LocalReference `json:"credentialsSecretRef,omitempty"`
}

// AzureRepository is a container of Azure Blob Storage.
//
// +kubebuilder:validation:XValidation:rule="!has(self.endpoint) || self.endpoint.startsWith('https://' + self.storageAccount + '.') || self.endpoint.startsWith('http://' + self.storageAccount + '.')",message="the endpoint's host must begin with the name of the storage account"
type AzureRepository struct {
	// StorageAccount that the container is in.
	// +kubebuilder:validation:MaxLength=24
	// +kubebuilder:validation:Pattern=`^[a-z0-9]{3,24}$`
	StorageAccount string `json:"storageAccount"`
	// Container to use; it must exist.
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=63
	Container string `json:"container"`
	// Prefix of all names in the container. Clusters that share a container need different ones.
	// +kubebuilder:validation:MaxLength=500
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('/')",message="must not start with /"
	// +optional
	Prefix string `json:"prefix,omitempty"`
	// Endpoint of the account where it is not https://<storageAccount>.blob.core.windows.net,
	// such as in Azure's other clouds.
	// +kubebuilder:validation:MaxLength=500
	// +kubebuilder:validation:Pattern=`^https?://[^/]+/?$`
	// +optional
	Endpoint string `json:"endpoint,omitempty"`
	// CredentialsSecretRef names a Secret with the key storageKey, one of the account's
	// keys, or sasToken, a token that may read, add, create, write, delete and list.
	CredentialsSecretRef LocalReference `json:"credentialsSecretRef"`
}

// FilesystemRepository is a directory.
type FilesystemRepository struct {
	// Path of the directory.
	// +kubebuilder:validation:MaxLength=4096
	// +kubebuilder:validation:XValidation:rule="self.startsWith('/') && !self.contains('/../') && !self.endsWith('/..')",message="must be an absolute path without .."
	Path string `json:"path"`
}

// BackupRepositoryStatus is the state of a repository.
type BackupRepositoryStatus struct {
	ConditionedStatus `json:",inline"`
	// ClusterUID is the cluster that the data belongs to, by the UID of its
	// namespace kube-system.
	// +optional
	ClusterUID string `json:"clusterUID,omitempty"`
	// Location is where the repository was last found to be usable. While the spec names
	// the same place, a repository that is no longer there is lost, and not begun anew.
	// +optional
	Location string `json:"location,omitempty"`
	// LastChecked is when the repository was last found to be usable.
	// +optional
	LastChecked *metav1.Time `json:"lastChecked,omitempty"`
	// ReadUntil is the end of the last share of the data that was read back: what was
	// there, and had its turn until then, could be read or was found to be lost.
	// +optional
	ReadUntil *metav1.Time `json:"readUntil,omitempty"`
	// HandledCheck is the value that the annotation backup.fedctl.io/check had when the
	// repository was last looked at.
	// +optional
	HandledCheck string `json:"handledCheck,omitempty"`
	// Password says which password opens the repository, while its Secret holds the next
	// one beside the present one.
	// +optional
	Password *PasswordStatus `json:"password,omitempty"`
	// Totals is what the repository holds.
	// +optional
	Totals Totals `json:"totals,omitempty"`
}

// PasswordStatus is how far the change of a password is.
type PasswordStatus struct {
	// SecretVersion is the resourceVersion of the Secret that both passwords were read from.
	SecretVersion string `json:"secretVersion"`
	// Key of the Secret whose password opens the repository.
	Key string `json:"key"`
	// Message says why that is not the next one yet.
	// +optional
	Message string `json:"message,omitempty"`
}
