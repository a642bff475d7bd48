/** Folder names under raw/ and staged/. Invariant: two tables never share one, not even where case does not count. */

import { TidemarkError } from '../model/error.ts';
import { displayName, type TableName } from '../model/table.ts';

/** The name without `as`: the table's, with its schema before it outside of public; odd characters become `_`. */
export function defaultFolder({ schema, table }: TableName): string {
  const name = (schema === 'public' ? table : `${schema}_${table}`).replaceAll(/[^A-Za-z0-9_.-]/gu, '_');
  // `.` and `..` are folders already.
  return /^\.+$/.test(name) ? name.replaceAll('.', '_') : name;
}

/** Throws FOLDER_CLASH naming both tables. */
export function checkFolders(tables: { name: TableName; folder: string }[]): void {
  const [clash] = folderClashes(tables).values();
  if (clash) throw clash;
}

/** A FOLDER_CLASH for each table whose folder is another's too. Local folders and Athena may not tell `Invoice` from `invoice`, S3 does. */
export function folderClashes<T extends { name: TableName; folder: string }>(tables: T[]): Map<T, TidemarkError> {
  const clashes = new Map<T, TidemarkError>();
  for (const sharing of Map.groupBy(tables, ({ folder }) => folder.toLowerCase()).values()) {
    if (sharing.length === 1) continue;
    for (const table of sharing) {
      const [one, two] = sharing.filter((each) => each === table || each === sharing[0] || table === sharing[0]);
      const names = [one, two].map(({ name }) => displayName(name));
      const error = new TidemarkError(
        'FOLDER_CLASH',
        `${names.join(' and ')} would both be exported to the folder ${table.folder}`,
        {
          hint: `give the newer one another: - { table: ${yamlText(names[1])}, as: ${table.folder}_2 }`,
          table: displayName(table.name),
        },
      );
      clashes.set(table, error);
    }
  }
  return clashes;
}

function yamlText(name: string): string {
  return /^[a-z_][a-z0-9_.]*$/.test(name) ? name : `'${name.replaceAll("'", "''")}'`;
}
