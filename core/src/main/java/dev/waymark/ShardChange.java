package dev.waymark;

import java.util.List;
import java.util.Objects;
import java.util.Set;

/**
 * What a change stream tells of one shard, in the order of the shard's log. Whoever wrote it is
 * told of: this library, {@code psql}, a process that died right after COMMIT.
 */
public sealed interface ShardChange {
  /** The name of the shard. */
  String shard();

  /** How far along the shard's log this is. */
  LogPosition position();

  /**
   * The stream starts anew from here: what was remembered of this shard may be wrong in any way.
   *
   * @param position everything committed at or after it will be told
   * @param cause why
   */
  record StartedAnew(String shard, LogPosition position, Cause cause) implements ShardChange {
    /** Checks that every part is present. */
    public StartedAnew {
      Objects.requireNonNull(shard, "shard");
      Objects.requireNonNull(position, "position");
      Objects.requireNonNull(cause, "cause");
    }

    /** Why a stream starts anew. */
    public enum Cause {
      /** There was no slot for it: the first start ever, or somebody dropped it. */
      NO_SLOT,
      /** The server gave the slot up: it held back more log than it may. */
      SLOT_INVALIDATED,
      /** The stream gave its slot up: more log waited than {@code changes.retain} allows. */
      TOO_FAR_BEHIND,
      /** There was no publication for a while, so that the server could not tell what to send. */
      NO_PUBLICATION,
      /**
       * Another server was promoted. Changes that were told may never have happened there; with a
       * slot that was kept on the new primary none is missed, else some may be.
       */
      PROMOTION
    }
  }

  /**
   * One transaction was committed. It may not be visible on the primary yet: the log is read ahead
   * of that, by as long as a synchronous replica takes to answer.
   *
   * @param transactionId PostgreSQL's 64-bit id of the top-level transaction ({@code xid8}), as
   *     {@link Transaction#transactionId()} gives it
   * @param position the end of the commit record: a node that has replayed this shows the
   *     transaction
   * @param rows the rows it changed, in its order; none of a table that is among {@code tables}
   * @param tables the tables of which any row may have changed
   * @param messages what it sent by {@code pg_logical_emit_message(true, 'waymark…', …)}
   */
  record Committed(
      String shard,
      long transactionId,
      LogPosition position,
      List<RowChange> rows,
      List<WholeTable> tables,
      List<Message> messages)
      implements ShardChange {
    /** Copies the lists. */
    public Committed {
      Objects.requireNonNull(shard, "shard");
      Objects.requireNonNull(position, "position");
      rows = List.copyOf(rows);
      tables = List.copyOf(tables);
      messages = List.copyOf(messages);
    }
  }

  /**
   * Tables were found to have another shape, other storage or other partitions than before: any row
   * of theirs may have changed, without a row change that told it. The change is visible on the
   * primary by now, and was made by a transaction that is not known.
   */
  record Altered(String shard, LogPosition position, List<TableName> tables)
      implements ShardChange {
    /** Copies the list. */
    public Altered {
      Objects.requireNonNull(shard, "shard");
      Objects.requireNonNull(position, "position");
      tables = List.copyOf(tables);
    }
  }

  /**
   * Everything that was acknowledged on the shard before a moment has been told, and so has
   * everything before a position.
   *
   * @param position all that was committed before it has been told
   * @param asOf all that was acknowledged before this has been told; by the clock of the consumer,
   *     {@link ChangeConsumer#time()}
   * @param tables the tables that this holds for, those that are followed; for every other it says
   *     nothing
   */
  record Reached(String shard, LogPosition position, long asOf, Set<TableName> tables)
      implements ShardChange {
    /** Copies the set. */
    public Reached {
      Objects.requireNonNull(shard, "shard");
      Objects.requireNonNull(position, "position");
      tables = Set.copyOf(tables);
    }
  }

  /**
   * A table of which any row may have changed.
   *
   * @param table which
   * @param cause why no rows are told
   */
  record WholeTable(TableName table, Cause cause) {
    /** Checks that both are present. */
    public WholeTable {
      Objects.requireNonNull(table, "table");
      Objects.requireNonNull(cause, "cause");
    }

    /** Why no rows are told. */
    public enum Cause {
      /** It was truncated, by itself or because another one was with CASCADE. */
      TRUNCATED,
      /** Its columns are other ones since this transaction or one shortly before. */
      ALTERED,
      /** The transaction changed more rows than {@code changes.rows} allows to be told. */
      TOO_MANY_ROWS
    }
  }

  /**
   * What a transaction sent by {@code pg_logical_emit_message(true, prefix, text)}.
   *
   * @param prefix starts with {@value #PREFIX}; others are not told
   * @param text the content, read as UTF-8
   */
  record Message(String prefix, String text) {
    /** What the prefix of every message that is told starts with. */
    public static final String PREFIX = "waymark";

    /** Checks that both are present. */
    public Message {
      Objects.requireNonNull(prefix, "prefix");
      Objects.requireNonNull(text, "text");
    }
  }
}
