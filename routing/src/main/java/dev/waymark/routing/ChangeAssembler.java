package dev.waymark.routing;

import dev.waymark.LogPosition;
import dev.waymark.RowChange;
import dev.waymark.RowChange.Kind;
import dev.waymark.RowImage;
import dev.waymark.ShardChange.Committed;
import dev.waymark.ShardChange.Message;
import dev.waymark.ShardChange.WholeTable;
import dev.waymark.TableName;
import dev.waymark.routing.PgOutputMessage.Begin;
import dev.waymark.routing.PgOutputMessage.Cell;
import dev.waymark.routing.PgOutputMessage.Column;
import dev.waymark.routing.PgOutputMessage.Commit;
import dev.waymark.routing.PgOutputMessage.Delete;
import dev.waymark.routing.PgOutputMessage.Insert;
import dev.waymark.routing.PgOutputMessage.OldRow;
import dev.waymark.routing.PgOutputMessage.Relation;
import dev.waymark.routing.PgOutputMessage.Sent;
import dev.waymark.routing.PgOutputMessage.Truncate;
import dev.waymark.routing.PgOutputMessage.Update;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Puts the messages of one connection together to whole transactions, in bounded memory: of a
 * transaction with more rows than are wanted it keeps the names of the tables. Belongs to one
 * thread.
 */
final class ChangeAssembler {
  /** What the kept values of one transaction may amount to, beside the limit of rows. */
  static final int MOST_CHARACTERS = 8 * 1024 * 1024;

  private final String shard;
  private final LogPosition start;
  private final int mostRows;
  private final LongSupplier recentTransactionId;
  private final Map<Integer, Relation> relations = new HashMap<>();

  /** The transaction that is being told; null between two. */
  private @Nullable Begin begin;

  private final List<RowChange> rows = new ArrayList<>();
  private final Map<TableName, Integer> rowsOf = new HashMap<>();
  private final Map<TableName, WholeTable.Cause> tables = new LinkedHashMap<>();
  private final List<Message> messages = new ArrayList<>();
  private long characters;

  /**
   * An assembler for one connection.
   *
   * @param start whose system and timeline the positions are of
   * @param mostRows how many rows of one transaction are kept
   * @param recentTransactionId a 64-bit id that was given out lately
   */
  ChangeAssembler(String shard, LogPosition start, int mostRows, LongSupplier recentTransactionId) {
    this.shard = shard;
    this.start = start;
    this.mostRows = mostRows;
    this.recentTransactionId = recentTransactionId;
  }

  /** Whether a transaction has begun and not ended. */
  boolean isInside() {
    return begin != null;
  }

  /**
   * Takes the next message.
   *
   * @return the transaction that it ends; null if it ends none, or one that changed nothing
   * @throws IllegalArgumentException if it cannot come next
   */
  @Nullable Committed add(PgOutputMessage message) {
    if (message instanceof Begin next) {
      if (begin != null) {
        throw new IllegalArgumentException("A transaction began inside another");
      }
      begin = next;
    } else if (message instanceof Commit end) {
      return commit(end);
    } else if (message instanceof Relation relation) {
      Relation before = relations.put(relation.id(), relation);
      if (before != null && !before.equals(relation)) {
        whole(before.table(), WholeTable.Cause.ALTERED);
        whole(relation.table(), WholeTable.Cause.ALTERED);
      }
    } else if (message instanceof Insert insert) {
      Relation relation = relation(insert.relation());
      row(relation, Kind.INSERTED, null, insert.after());
    } else if (message instanceof Update update) {
      row(relation(update.relation()), Kind.UPDATED, update.before(), update.after());
    } else if (message instanceof Delete delete) {
      row(relation(delete.relation()), Kind.DELETED, delete.before(), null);
    } else if (message instanceof Truncate truncate) {
      for (int id : truncate.relations()) {
        whole(relation(id).table(), WholeTable.Cause.TRUNCATED);
      }
    } else if (message instanceof Sent sent
        && sent.isTransactional()
        && sent.prefix().startsWith(Message.PREFIX)) {
      inside();
      messages.add(new Message(sent.prefix(), sent.text()));
    }
    return null;
  }

  private @Nullable Committed commit(Commit end) {
    Begin ended = inside();
    Committed committed = null;
    if (!rows.isEmpty() || !tables.isEmpty() || !messages.isEmpty()) {
      List<WholeTable> whole = new ArrayList<>();
      tables.forEach((table, cause) -> whole.add(new WholeTable(table, cause)));
      committed =
          new Committed(
              shard,
              widen(ended.xid(), recentTransactionId.getAsLong()),
              new LogPosition(start.systemId(), start.timeline(), end.endLsn()),
              rows,
              whole,
              messages);
    }
    begin = null;
    rows.clear();
    rowsOf.clear();
    tables.clear();
    messages.clear();
    characters = 0;
    return committed;
  }

  private Begin inside() {
    Begin now = begin;
    if (now == null) {
      throw new IllegalArgumentException("A change came outside of any transaction");
    }
    return now;
  }

  private Relation relation(int id) {
    Relation relation = relations.get(id);
    if (relation == null) {
      throw new IllegalArgumentException(
          "A change of table " + Integer.toUnsignedString(id) + " came before its description");
    }
    return relation;
  }

  /** From now on the table stands for all its rows. */
  private void whole(TableName table, WholeTable.Cause cause) {
    inside();
    tables.putIfAbsent(table, cause);
    if (rowsOf.remove(table) != null) {
      rows.removeIf(row -> row.table().equals(table));
      characters = rows.stream().mapToLong(ChangeAssembler::characters).sum();
    }
  }

  private void row(
      Relation relation, Kind kind, @Nullable OldRow before, @Nullable List<Cell> after) {
    inside();
    TableName table = relation.table();
    if (tables.containsKey(table)) {
      return;
    }
    RowChange row =
        new RowChange(
            table,
            kind,
            before == null ? null : image(relation, before.cells(), !before.isWhole()),
            after == null ? null : image(relation, after, false));
    rows.add(row);
    rowsOf.merge(table, 1, Integer::sum);
    characters += characters(row);
    if (rows.size() > mostRows || characters > MOST_CHARACTERS) {
      keepNames();
    }
  }

  /** The table with the most rows makes room; if that is not much, every one does. */
  private void keepNames() {
    TableName largest = table(rowsOf);
    int room = rowsOf.getOrDefault(largest, 0);
    whole(largest, WholeTable.Cause.TOO_MANY_ROWS);
    if (room < mostRows / 8 || characters > MOST_CHARACTERS / 2) {
      List.copyOf(rowsOf.keySet())
          .forEach(table -> tables.putIfAbsent(table, WholeTable.Cause.TOO_MANY_ROWS));
      rows.clear();
      rowsOf.clear();
      characters = 0;
    }
  }

  private static TableName table(Map<TableName, Integer> counts) {
    return counts.entrySet().stream().max(Map.Entry.comparingByValue()).orElseThrow().getKey();
  }

  private static RowImage image(Relation relation, List<Cell> cells, boolean identityOnly) {
    List<Column> columns = relation.columns();
    if (cells.size() != columns.size()) {
      throw new IllegalArgumentException(
          "A row of "
              + relation.table()
              + " has "
              + cells.size()
              + " values for "
              + columns.size()
              + " columns");
    }
    Map<String, Optional<String>> values = new HashMap<>();
    for (int i = 0; i < cells.size(); i++) {
      Cell cell = cells.get(i);
      if (cell.told() != PgOutputMessage.Told.NOTHING
          && (!identityOnly || columns.get(i).isIdentity())) {
        values.put(columns.get(i).name(), Optional.ofNullable(cell.text()));
      }
    }
    return new RowImage(values);
  }

  private static long characters(RowChange row) {
    return characters(row.before()) + characters(row.after());
  }

  private static long characters(@Nullable RowImage image) {
    long sum = 0;
    if (image != null) {
      for (Optional<String> value : image.values().values()) {
        sum += value.isPresent() ? value.get().length() : 0;
      }
    }
    return sum;
  }

  /**
   * The 64-bit id of a transaction whose lower half is told.
   *
   * <p>Of all with that half it is the one nearest to an id given out lately. That is sound: what
   * the slot has not confirmed yet is kept from being frozen (its {@code catalog_xmin}), and the
   * server gives out no id more than half the 32-bit circle after the oldest it must remember; and
   * no half circle of ids is given out between two looks.
   */
  static long widen(int xid, long recent) {
    // The difference of the lower halves, as a signed number, is the shorter way round.
    return recent + (xid - (int) recent);
  }
}
