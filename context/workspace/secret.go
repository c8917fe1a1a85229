package workspace

import "strings"

const secretReason = "its name is one of those that keys and passwords have"

var (
	secretFolders = set(".aws", ".ssh", ".gnupg", ".azure", ".password-store")
	secretNames   = set(
		"id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "id_ecdsa_sk", "id_ed25519_sk",
		".env", ".envrc", ".netrc", "_netrc", ".npmrc", ".pypirc", ".pgpass", ".my.cnf", ".git-credentials", ".htpasswd", "htpasswd",
		".dockercfg", ".s3cfg", ".boto", ".vault-token", "credentials", "application_default_credentials.json", "credentials.db",
	)
	secretEndings = set(
		"env", "pem", "key", "p8", "p12", "pfx", "pkcs12", "jks", "keystore", "keytab", "kdb", "kdbx", "ppk", "ovpn", "tfstate", "tfvars",
	)
	// secretIn are names that mean a secret in one folder only.
	secretIn = set(
		".kube/config", ".docker/config.json", ".cargo/credentials.toml", ".m2/settings.xml", ".gem/credentials", "gh/hosts.yml",
	)
	// secretStems are secrets as data and harmless as programs: secrets.yaml, but not secrets.go.
	secretStems = set("secret", "secrets", "credential", "credentials")
	dataEndings = set("yaml", "yml", "json", "toml", "ini", "xml", "csv", "properties", "conf", "cfg", "txt", "enc", "dec")
	leftEndings = []string{"~", ".bak", ".backup", ".old", ".orig", ".save", ".swp", ".swo", ".tmp", "#"}
)

func set(names ...string) map[string]bool {
	s := make(map[string]bool, len(names))
	for _, name := range names {
		s[name] = true
	}
	return s
}

// IsSecret reports whether a file's path says that keys or passwords are in it;
// capitals do not matter. It is a list of names that tools use, no proof: a
// password in settings.py or in a file with a made-up name is not found, nor a
// second name of the same file (hard link). People add such to .tandemignore.
// Rather too much is refused, as .env.example is.
func IsSecret(path string) bool {
	parts := strings.FieldsFunc(strings.ToLower(path), func(r rune) bool { return r == '/' || r == '\\' })
	for _, part := range parts {
		if secretFolders[part] {
			return true
		}
	}
	if len(parts) == 0 {
		return false
	}
	name, folder := parts[len(parts)-1], ""
	if len(parts) > 1 {
		folder = parts[len(parts)-2]
	}
	// Windows opens "x.pem::$DATA" and "x.pem. " as x.pem.
	stream, _, _ := strings.Cut(name, ":")
	return isSecretName(folder, name) || isSecretName(folder, strings.TrimRight(stream, ". "))
}

// isSecretName is about a name in lower case and the folder it is in, and about
// what editors leave beside such a file: "id_rsa~", ".id_rsa.swp", "#id_rsa#".
func isSecretName(folder, name string) bool {
	for _, left := range leftEndings {
		if rest, ok := strings.CutSuffix(name, left); ok && rest != "" {
			return isSecretName(folder, rest) || isSecretName(folder, rest[1:])
		}
	}
	if secretNames[name] || secretIn[folder+"/"+name] || strings.HasPrefix(name, ".env.") || strings.HasPrefix(name, ".env-") {
		return true
	}
	stem, rest, _ := strings.Cut(name, ".")
	ending := rest[strings.LastIndexByte(rest, '.')+1:]
	switch {
	case secretEndings[ending], strings.HasSuffix(name, ".tfvars.json"), strings.Contains(name, ".tfstate."):
		return true
	case dataEndings[ending] && secretStems[strings.TrimPrefix(stem, ".")]:
		return true
	case ending != "json":
		return false
	}
	stem = strings.ReplaceAll(stem, "_", "-")
	return strings.HasPrefix(stem, "service-account") || strings.HasPrefix(stem, "serviceaccount") || strings.HasPrefix(stem, "client-secret")
}
