/** Which entries; the subcommands take these too. */
export interface AuditFilter {
  delegation?: number;
  buffer?: string;
  device?: string;
  account?: string;
  action?: string;
  search?: string;
  from?: number;
  to?: number;
}
