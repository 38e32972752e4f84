package config

import "slices"

// acts are the settings that fettle reads where they matter. A test holds that each is named
// in cmd/internal/cli.
var acts = []string{
	"ANSIBLE_FORCE_COLOR", "ANSIBLE_HOME", "ANSIBLE_NOCOLOR", "ANSIBLE_PIPELINING", "ANY_ERRORS_FATAL",
	"BECOME_PASSWORD_FILE", "CACHE_PLUGIN", "CACHE_PLUGIN_CONNECTION", "CACHE_PLUGIN_PREFIX", "CACHE_PLUGIN_TIMEOUT",
	"CALLBACKS_ENABLED", "COLLECTIONS_PATHS", "CONFIG_FILE", "CONNECTION_PASSWORD_FILE",
	"DEFAULT_ASK_PASS", "DEFAULT_ASK_VAULT_PASS", "DEFAULT_BECOME", "DEFAULT_BECOME_ASK_PASS", "DEFAULT_BECOME_EXE",
	"DEFAULT_BECOME_FLAGS", "DEFAULT_BECOME_METHOD", "DEFAULT_BECOME_USER", "DEFAULT_EXECUTABLE", "DEFAULT_FORCE_HANDLERS",
	"DEFAULT_FORKS", "DEFAULT_GATHERING", "DEFAULT_HASH_BEHAVIOUR", "DEFAULT_HOST_LIST", "DEFAULT_JINJA2_NATIVE", "DEFAULT_LOAD_CALLBACK_PLUGINS", "DEFAULT_LOG_PATH",
	"DEFAULT_MANAGED_STR", "DEFAULT_MODULE_ARGS", "DEFAULT_MODULE_NAME", "DEFAULT_MODULE_PATH",
	"DEFAULT_ACTION_PLUGIN_PATH", "DEFAULT_FILTER_PLUGIN_PATH", "DEFAULT_LOOKUP_PLUGIN_PATH", "DEFAULT_TEST_PLUGIN_PATH",
	"DEFAULT_NO_LOG", "DEFAULT_POLL_INTERVAL", "DEFAULT_PRIVATE_KEY_FILE", "DEFAULT_PRIVATE_ROLE_VARS",
	"DEFAULT_REMOTE_PORT", "DEFAULT_REMOTE_USER", "DEFAULT_ROLES_PATH", "DEFAULT_STDOUT_CALLBACK", "DEFAULT_STRATEGY", "DEFAULT_TIMEOUT",
	"DEFAULT_TRANSPORT", "DEFAULT_VAULT_ENCRYPT_IDENTITY", "DEFAULT_VAULT_IDENTITY_LIST", "DEFAULT_VAULT_ID_MATCH",
	"DEFAULT_VAULT_PASSWORD_FILE", "DEFAULT_VERBOSITY", "DEPRECATION_WARNINGS", "DIFF_ALWAYS", "DIFF_CONTEXT", "DISPLAY_ARGS_TO_STDOUT",
	"DUPLICATE_YAML_DICT_KEY", "EDITOR", "ENABLE_TASK_DEBUGGER", "ERROR_ON_MISSING_HANDLER",
	"GALAXY_COLLECTION_SKELETON", "GALAXY_COLLECTION_SKELETON_IGNORE", "GALAXY_ROLE_SKELETON", "GALAXY_ROLE_SKELETON_IGNORE",
	"GALAXY_COLLECTIONS_PATH_WARNING", "GALAXY_IGNORE_CERTS", "GALAXY_SERVER_TIMEOUT",
	"HOST_KEY_CHECKING", "HOST_PATTERN_MISMATCH", "INJECT_FACTS_AS_VARS", "INVENTORY_ANY_UNPARSED_IS_FAILED",
	"INVENTORY_ENABLED", "INVENTORY_EXPORT", "INVENTORY_IGNORE_EXTS", "INVENTORY_IGNORE_PATTERNS",
	"INVENTORY_UNPARSED_IS_FAILED", "INVENTORY_UNPARSED_WARNING", "LOCALHOST_WARNING", "LOG_VERBOSITY",
	"PLAYBOOK_DIR", "PLUGIN_FILTERS_CFG", "RETRY_FILES_ENABLED", "RETRY_FILES_SAVE_PATH", "SHOW_CUSTOM_STATS",
	"TAGS_RUN", "TAGS_SKIP", "TASK_DEBUGGER_IGNORE_ERRORS", "TASK_TIMEOUT", "TRANSFORM_INVALID_GROUP_CHARS",
	"VAULT_ENCRYPT_SALT", "VERBOSE_TO_STDERR", "YAML_FILENAME_EXTENSIONS",
	"default:check_mode_markers", "default:display_failed_stderr", "default:display_ok_hosts", "default:display_skipped_hosts",
	"default:pretty_results", "default:result_format", "default:show_task_path_on_failure",
	"constructed:use_extra_vars",
	"sh:async_dir",
	"ssh:host_key_checking", "ssh:reconnection_retries", "ssh:ssh_args", "ssh:ssh_common_args", "ssh:ssh_extra_args", "ssh:timeout",
	"ssh:sshpass_prompt", "ssh:ssh_executable", "ssh:pkcs11_provider",
	"su:become_exe", "su:become_flags", "su:become_pass", "su:become_user",
	"sudo:become_exe", "sudo:become_flags", "sudo:become_pass", "sudo:become_user",
}

// meaningless are settings for what fettle does not have, so that no result depends on them:
// Python and its processes, cows, pagers, connections shared by several programs, copies of
// modules on the hosts, tracebacks, syslog, SELinux quirks of those copies.
var meaningless = []string{
	"ANSIBLE_COW_ACCEPTLIST", "ANSIBLE_COW_PATH", "ANSIBLE_COW_SELECTION", "ANSIBLE_NOCOWS",
	"COLLECTIONS_ON_ANSIBLE_VERSION_MISMATCH", "COLLECTIONS_SCAN_SYS_PATH",
	"DEFAULT_INTERNAL_POLL_INTERVAL", "DEFAULT_KEEP_REMOTE_FILES", "DEFAULT_LOCAL_TMP", "DEFAULT_LOG_FILTER",
	"DEFAULT_MODULE_COMPRESSION", "DEFAULT_NO_TARGET_SYSLOG", "DEFAULT_SYSLOG_FACILITY", "DEFAULT_SELINUX_SPECIAL_FS",
	"DEVEL_WARNING", "DISPLAY_TRACEBACK", "DOCSITE_ROOT_URL", "DEFAULT_UNDEFINED_VAR_BEHAVIOR",
	"GALAXY_DISPLAY_PROGRESS", "INTERPRETER_PYTHON", "INTERPRETER_PYTHON_FALLBACK", "MODULE_IGNORE_EXTS",
	"PAGER", "PYTHON_MODULE_RLIMIT_NOFILE", "SYSTEM_WARNINGS", "VALIDATE_ACTION_GROUP_METADATA",
	"WIN_ASYNC_STARTUP_TIMEOUT", "WORKER_SHUTDOWN_POLL_COUNT", "WORKER_SHUTDOWN_POLL_DELAY",
	"sh:admin_users", "sh:common_remote_group", "sh:remote_tmp", "sh:system_tmpdirs", "sh:world_readable_temp",
	"ssh:control_path", "ssh:control_path_dir", "ssh:pipelining", "ssh:scp_executable", "ssh:sftp_batch_mode", "ssh:sftp_executable",
	"ssh:ssh_transfer_method", "ssh:use_tty",
	"su:prompt_l10n", // a question is known in any language
}

func supported(name string) bool {
	return slices.Contains(acts, name) || slices.Contains(meaningless, name)
}
