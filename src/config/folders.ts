/** Folder names under raw/ and staged/. Invariant: two tables never share one, not even where case does not count. */

import { TidemarkError } from '../model/error.ts';
import { displayName, type TableName } from '../model/table.ts';

/** The name without `as`: the table's, with its schema before it outside of public; odd characters become `_`. */
export function defaultFolder({ schema, table }: TableName): string {
  const name = (schema === 'public' ? table : `${schema}_${table}`).replaceAll(/[^A-Za-z0-9_.-]/gu, '_');
  // `.` and `..` are folders already.
  return /^\.+$/.test(name) ? name.replaceAll('.', '_') : name;
}

/** Throws FOLDER_CLASH naming both tables. Local folders and Athena may not tell `Invoice` from `invoice`, S3 does. */
export function checkFolders(tables: { name: TableName; folder: string }[]): void {
  const taken = new Map<string, TableName>();
  for (const { name, folder } of tables) {
    const other = taken.get(folder.toLowerCase());
    if (other) {
      const [one, two] = [displayName(other), displayName(name)];
      throw new TidemarkError('FOLDER_CLASH', `${one} and ${two} would both be exported to the folder ${folder}`, {
        hint: `give one of them another: - { table: ${yamlText(two)}, as: ${folder}_2 }`,
        table: two,
      });
    }
    taken.set(folder.toLowerCase(), name);
  }
}

function yamlText(name: string): string {
  return /^[a-z_][a-z0-9_.]*$/.test(name) ? name : `'${name.replaceAll("'", "''")}'`;
}
