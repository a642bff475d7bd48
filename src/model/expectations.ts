/** What must hold of a table's rows, as the configuration says. Pure data; columns by their names in the source. */

export type Expectations = {
  /** A column that is new in the source breaks it. */
  closed: boolean;
  notNull: string[];
  /** The only values that a column may hold; NULL is none of them, and may stand there too. */
  accepted: Record<string, readonly (string | number | boolean)[]>;
  /** `stop`: the run comes to nothing; `report`: it is committed, and said so. */
  onBreak: 'stop' | 'report';
};
