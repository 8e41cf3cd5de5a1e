type Environment = Record<string, string | undefined>;

/** Where an agent of this uid listens unless told otherwise: the system's for root, else the user's own. */
export function defaultSocketPath(environment: Environment, uid: number): string {
  if (environment.LENDBUF_SOCKET) return environment.LENDBUF_SOCKET;
  return uid === 0 ? SYSTEM_SOCKET : `${userRuntimeDirectory(environment, uid)}/agent.sock`;
}

/** Where a client looks for an agent, in order. */
export function socketCandidates(environment: Environment, uid: number): string[] {
  if (environment.LENDBUF_SOCKET) return [environment.LENDBUF_SOCKET];
  return uid === 0 ? [SYSTEM_SOCKET] : [defaultSocketPath(environment, uid), SYSTEM_SOCKET];
}

/** Where an agent of this uid keeps its store unless told otherwise. */
export function defaultStateDirectory(environment: Environment, uid: number): string {
  if (environment.LENDBUF_STATE) return environment.LENDBUF_STATE;
  if (uid === 0) return "/var/lib/lendbuf";
  return `${environment.XDG_STATE_HOME ?? `${environment.HOME ?? `/tmp/lendbuf-${uid}`}/.local/state`}/lendbuf`;
}

/** Where an agent of this uid finds its configuration unless told otherwise; null: nowhere. */
export function defaultConfigPath({ XDG_CONFIG_HOME, HOME }: Environment, uid: number): string | null {
  if (uid === 0) return "/etc/lendbuf/agent.toml";
  if (XDG_CONFIG_HOME) return `${XDG_CONFIG_HOME}/lendbuf/agent.toml`;
  return HOME ? `${HOME}/.config/lendbuf/agent.toml` : null; // never in a folder that others can write, as /tmp
}

const SYSTEM_SOCKET = "/run/lendbuf/agent.sock";

function userRuntimeDirectory(environment: Environment, uid: number): string {
  return environment.XDG_RUNTIME_DIR ? `${environment.XDG_RUNTIME_DIR}/lendbuf` : `/tmp/lendbuf-${uid}`;
}
