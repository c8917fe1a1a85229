package workspace

import "testing"

func TestIsSecret(t *testing.T) {
	for _, path := range []string{
		".env", "/p/.ENV", ".env.local", ".env.example", ".env-prod", "prod.env", ".envrc", "x.pem", "x.KEY", "x.p12", "x.pfx", "x.jks",
		"x.keystore", "id_rsa", "a/id_ed25519", "id_ecdsa", "id_dsa", ".netrc", ".npmrc", ".pypirc", ".git-credentials", "credentials",
		"credentials.json", "x.kdbx", "secrets.yaml", "Secrets.YML", "secrets.json", "secret.toml", "secrets.enc.yaml", "service-account.json",
		"service_account_prod.json", "service-account-x.json", "/home/u/.aws/config", ".ssh/known_hosts", "/u/.gnupg/x", "/u/.kube/config",
		"x.tfstate", "x.tfstate.backup", "x.tfvars", "x.auto.tfvars", "x.tfvars.json", "htpasswd", ".htpasswd", `C:\u\.SSH\x`, `C:\u\x.pem`,
		"x.pem::$DATA", "x.pem. ", "id_rsa~", ".id_rsa.swp", "#id_rsa#", ".env.swp", ".env~", "id_rsa.bak", "a:b.pem", "x.tfstate.1.backup",
		".docker/config.json", "client_secret_1.json",
	} {
		if !IsSecret(path) {
			t.Errorf("%q is not taken for a secret", path)
		}
	}
	for _, path := range []string{
		"", "/", "main.go", "id_rsa.pub", "id_ed25519.pub", "env.go", "environment", "env", "keys.go", "key", "secrets.go", "secrets.py",
		"credentials.go", "credentials/x.go", "secrets/main.tf", "config", "config.json", "kube/config", "pem.go", "aws/x.go", "tokens.json",
		"service-account.go", "x.tf", "~", "#", "a~", ".gitignore", "keystore.go", "secret_test.go",
	} {
		if IsSecret(path) {
			t.Errorf("%q is taken for a secret", path)
		}
	}
}
