/** A process that opens the state store at argv[2] in the schema argv[3], prints its id, and ends. */

import { openAt } from './state.ts';

await using store = await openAt(process.argv[2], { schema: process.argv[3] });
console.log(store.id);
