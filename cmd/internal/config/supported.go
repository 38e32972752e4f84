package config

import (
	"slices"
	"strings"
)

// supportedNames are the settings that fettle acts on, or that have no meaning for a program
// without Python and local caches of modules, where ignoring them changes no result.
var supportedNames = []string{
	"ANSIBLE_FORCE_COLOR", "ANSIBLE_HOME", "ANSIBLE_NOCOLOR", "ANSIBLE_PIPELINING", "ANY_ERRORS_FATAL",
	"BECOME_ALLOW_SAME_USER", "BECOME_PASSWORD_FILE", "COLLECTIONS_PATHS", "CONFIG_FILE", "CONNECTION_PASSWORD_FILE",
	"DEFAULT_ASK_PASS", "DEFAULT_ASK_VAULT_PASS", "DEFAULT_BECOME", "DEFAULT_BECOME_ASK_PASS", "DEFAULT_BECOME_EXE",
	"DEFAULT_BECOME_FLAGS", "DEFAULT_BECOME_METHOD", "DEFAULT_BECOME_USER", "DEFAULT_EXECUTABLE", "DEFAULT_FORCE_HANDLERS",
	"DEFAULT_FORKS", "DEFAULT_GATHERING", "DEFAULT_HASH_BEHAVIOUR", "DEFAULT_HOST_LIST", "DEFAULT_JINJA2_NATIVE",
	"DEFAULT_KEEP_REMOTE_FILES", "DEFAULT_LOAD_CALLBACK_PLUGINS", "DEFAULT_LOCAL_TMP", "DEFAULT_MANAGED_STR", "DEFAULT_MODULE_ARGS", "DEFAULT_MODULE_NAME",
	"DEFAULT_MODULE_PATH", "DEFAULT_NO_LOG", "DEFAULT_POLL_INTERVAL", "DEFAULT_PRIVATE_KEY_FILE", "DEFAULT_PRIVATE_ROLE_VARS",
	"DEFAULT_REMOTE_PORT", "DEFAULT_REMOTE_USER", "DEFAULT_ROLES_PATH", "DEFAULT_STRATEGY", "DEFAULT_TIMEOUT",
	"DEFAULT_TRANSPORT", "DEFAULT_VAULT_ENCRYPT_IDENTITY", "DEFAULT_VAULT_IDENTITY", "DEFAULT_VAULT_IDENTITY_LIST",
	"DEFAULT_VAULT_ID_MATCH", "DEFAULT_VAULT_PASSWORD_FILE", "DEFAULT_VERBOSITY", "DEPRECATION_WARNINGS", "DEVEL_WARNING",
	"DEFAULT_STDOUT_CALLBACK", "SHOW_CUSTOM_STATS", "DISPLAY_SKIPPED_HOSTS", "default:display_skipped_hosts", "default:display_ok_hosts",
	"DIFF_ALWAYS", "DIFF_CONTEXT", "ERROR_ON_MISSING_HANDLER", "HOST_KEY_CHECKING", "HOST_PATTERN_MISMATCH",
	"INJECT_FACTS_AS_VARS", "INTERPRETER_PYTHON", "INTERPRETER_PYTHON_FALLBACK", "INVENTORY_ANY_UNPARSED_IS_FAILED",
	"INVENTORY_ENABLED", "INVENTORY_EXPORT", "INVENTORY_IGNORE_EXTS", "INVENTORY_IGNORE_PATTERNS",
	"INVENTORY_UNPARSED_IS_FAILED", "INVENTORY_UNPARSED_WARNING", "LOCALHOST_WARNING", "MAX_FILE_SIZE_FOR_DIFF", "PLAYBOOK_DIR",
	"SYSTEM_WARNINGS", "TAGS_RUN", "TAGS_SKIP", "TASK_TIMEOUT", "TRANSFORM_INVALID_GROUP_CHARS", "VAULT_ENCRYPT_SALT",
	"YAML_FILENAME_EXTENSIONS",
	"ssh:host_key_checking", "ssh:pipelining", "ssh:port", "ssh:private_key_file", "ssh:reconnection_retries", "ssh:remote_user",
	"ssh:timeout", "ssh:ssh_args", "ssh:ssh_common_args", "ssh:ssh_extra_args", "ssh:control_path", "ssh:control_path_dir",
	"ssh:ssh_transfer_method", "ssh:scp_executable", "ssh:sftp_executable", "ssh:sftp_batch_mode", "ssh:use_tty",
	"sudo:become_exe", "sudo:become_flags", "sudo:become_pass", "sudo:become_user",
	"su:become_exe", "su:become_flags", "su:become_pass", "su:become_user",
}

func supported(name string) bool {
	return slices.Contains(supportedNames, name) || strings.HasPrefix(name, "COLOR_")
}
