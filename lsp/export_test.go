package lsp

// SettingNames are the keys that a client may send.
func SettingNames() []string { return settingNames() }
