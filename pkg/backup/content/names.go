package content

// Resources that rules are about, by their names.
const (
	namespaces          = "namespaces"
	services            = "services"
	secrets             = "secrets"
	volumes             = "persistentvolumes"
	claims              = "persistentvolumeclaims"
	serviceAccounts     = "serviceaccounts"
	jobs                = "jobs.batch"
	storageClasses      = "storageclasses.storage.k8s.io"
	clusterRoles        = "clusterroles.rbac.authorization.k8s.io"
	clusterRoleBindings = "clusterrolebindings.rbac.authorization.k8s.io"
	validatingWebhooks  = "validatingwebhookconfigurations.admissionregistration.k8s.io"
	mutatingWebhooks    = "mutatingwebhookconfigurations.admissionregistration.k8s.io"
	definitions         = "customresourcedefinitions.apiextensions.k8s.io"
	apiServices         = "apiservices.apiregistration.k8s.io"
	backups             = "backups.backup.fedctl.io"
	federatedBackups    = "federatedbackups.types.kubefed.io"
	repositories        = "backuprepositories.backup.fedctl.io"
)
