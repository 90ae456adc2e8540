package dev.waymark.routing;

/**
 * Why a statement is refused. The number never changes its meaning; {@code docs/errors-sql.md}
 * lists them all.
 */
enum SqlCode {
  /** The text is not understood for certain. */
  UNREADABLE(
      1, "Name the shard by a hint: /* waymark: key=42 */, or run it through write(key, …)."),
  /** Several statements in one text. */
  SEVERAL_STATEMENTS(2, "Send each statement on its own, or name the shard by a hint."),
  /** A sharded table whose rows are not tied to a key. */
  NO_KEY(
      3,
      "Compare the table's key column with a parameter or a constant, or tie it by an equation to the key column of a table that is."),
  /** A table that the shard map does not know. */
  UNKNOWN_TABLE(4, "List it under tables in the configuration, as sharded or as broadcast."),
  /** An UPDATE that sets a key. */
  MOVES_ROW(5, "A row moves to another key by DELETE and INSERT."),
  /** An INSERT of a row without a key. */
  NO_KEY_TO_INSERT(6, "Give the key column a parameter or a constant that is not null."),
  /** A key that is no whole number of 64 bits. */
  NOT_A_KEY(7, "Set the parameter with setLong."),
  /** A write on keys of more than one shard. */
  WRITES_ON_SEVERAL_SHARDS(
      8, "Write to one key at a time, or open the transaction as a cross-shard one."),
  /** A query on several shards whose answers don't add up to the exact one. */
  NOT_MERGED_EXACTLY(
      9,
      "Restrict it to one key, or ask every shard through onEveryShard(…) and combine in the application."),
  /** A hint that is not understood or contradicts the statement. */
  BAD_HINT(10, "Hints are: primary, replica, key=<number>."),
  /** A view over sharded tables. */
  VIEW(11, "Use the tables of the view, or name the key by a hint."),
  /** A kind of statement that does not tell its shard. */
  NO_SHARD_NAMED(
      12, "Name the shard by a hint: /* waymark: key=42 */; schema changes belong on every shard."),
  /** A function that may read tables which the statement does not name. */
  HIDDEN_TABLES(
      13, "Declare the function IMMUTABLE if it reads no tables, or name the shard by a hint."),
  /** What would be left behind in a session that others use next. */
  LASTS_IN_SESSION(
      14,
      "Use SET LOCAL within a transaction, or put the setting into the URLs of the nodes; LISTEN, PREPARE and temporary tables need a connection of one's own."),
  /** A statement of another shard than its transaction's. */
  OTHER_SHARD(
      15,
      "The transaction goes on: commit it first, or do the work for several shards in a cross-shard transaction."),
  /** BEGIN, COMMIT or ROLLBACK as a text. */
  TRANSACTION_IN_TEXT(16, "Use setAutoCommit(false), commit() and rollback()."),
  /** A key that no range of the map holds. */
  UNOWNED_KEY(17, "Correct the key, or add its range to the shard map."),
  /** What JDBC offers on one connection, and several shards have no connection for. */
  NEEDS_ONE_SHARD(18, "Restrict it to the keys of one shard."),
  /** Values of several shards would have to be compared, and only a server can. */
  TYPE_NOT_MERGED(
      20,
      "Cast to a type, or COLLATE \"C\" to a collation, that is compared the same everywhere, or restrict it to one key."),
  /** More groups than are kept in memory. */
  TOO_MANY_GROUPS(
      21, "Restrict it, group it by the key, or ask every shard through onEveryShard(…)."),
  /** A server does not allow a transaction to be prepared. */
  NO_PREPARED_TRANSACTIONS(
      22,
      "Set max_prepared_transactions on every server, to what max_connections is for instance, and restart it."),
  /** What an earlier release of the schema lacks. */
  NO_DECISIONS_TABLE(23, "Run schema().install(), or the statements of schema().sql(…).");

  private final int number;
  private final String hint;

  SqlCode(int number, String hint) {
    this.number = number;
    this.hint = hint;
  }

  /** {@code WM-001} and so on. */
  String code() {
    return "WM-%03d".formatted(number);
  }

  /** What to do instead: whole sentences. */
  String hint() {
    return hint;
  }
}
