/** Which entries: those that fit all that is given. */
export interface AuditFilter {
  /** Their place: greater and smaller than these. */
  after?: number | undefined;
  before?: number | undefined;
  /** Wall-clock milliseconds: from then on, and before then. */
  from?: number | undefined;
  to?: number | undefined;
  delegation?: number | undefined;
  buffer?: string | undefined;
  device?: string | undefined;
  account?: string | undefined;
  action?: string | undefined;
  search?: string | undefined;
}

/** Of an entry about many delegations: one of them is so. */
const ONE_OF_MANY = "EXISTS (SELECT 1 FROM json_each(audit.delegations) many JOIN delegations d ON d.id = many.value";

/** What a filter asks of a row of the audit, as SQL that follows another condition. */
export function conditionOf(filter: AuditFilter): { sql: string; values: (string | number)[] } {
  const conditions: string[] = [];
  const values: (string | number)[] = [];
  const where = (condition: string, ...bound: (string | number)[]) => {
    conditions.push(` AND (${condition})`);
    values.push(...bound);
  };
  const { after, before, from, to, delegation, buffer, device, account, action, search } = filter;
  if (after !== undefined) where("seq > ?", after);
  if (before !== undefined) where("seq < ?", before);
  if (from !== undefined) where("at >= ?", from);
  if (to !== undefined) where("at < ?", to);
  if (action !== undefined) where("action = ? OR substr(action, 1, length(?) + 1) = ? || '.'", action, action, action);
  if (delegation !== undefined)
    where(
      "delegation = ? OR EXISTS (SELECT 1 FROM json_each(audit.delegations) WHERE value = ?)",
      delegation,
      delegation,
    );
  if (buffer !== undefined) where(`buffer = ? OR ${ONE_OF_MANY} WHERE d.buffer = ?)`, buffer, buffer);
  if (account !== undefined)
    where(
      `account = ? OR actor = ? OR substr(actor, 1, length(?) + 1) = ? || ' ' OR ${ONE_OF_MANY} WHERE d.account = ?)`,
      ...Array<string>(5).fill(account),
    );
  if (device !== undefined)
    where(
      `json_extract(detail, '$.device') = ?
        OR EXISTS (SELECT 1 FROM delegations d WHERE d.id = audit.delegation AND json_extract(d.record, '$.device') = ?)
        OR ${ONE_OF_MANY} WHERE json_extract(d.record, '$.device') = ?)`,
      ...Array<string>(3).fill(device),
    );
  for (const word of search?.split(/\s+/).filter(Boolean) ?? []) where(`instr(lower(${TEXT}), lower(?)) > 0`, word);
  return { sql: conditions.join(""), values };
}

const TEXT = "actor || ' ' || action || ' ' || coalesce(buffer, '') || ' ' || coalesce(account, '') || ' ' || detail";
