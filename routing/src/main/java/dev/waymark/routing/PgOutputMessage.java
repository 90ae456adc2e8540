package dev.waymark.routing;

import dev.waymark.RowImage;
import dev.waymark.ShardChange;
import dev.waymark.TableName;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One message of PostgreSQL's output plugin {@code pgoutput}, version 1 of its protocol (chapter
 * "Logical Replication Message Formats" of PostgreSQL's manual): whole transactions, in the order
 * of their commits.
 */
sealed interface PgOutputMessage {
  /** A transaction starts; what follows is its changes, then {@link Commit}. */
  record Begin(long commitLsn, int xid) implements PgOutputMessage {}

  /** The transaction ends; {@code endLsn} is right after its commit record. */
  record Commit(long commitLsn, long endLsn) implements PgOutputMessage {}

  /**
   * What a table looks like; sent before its first change, and again when that may have changed.
   */
  record Relation(int id, TableName table, List<Column> columns) implements PgOutputMessage {}

  /** A column, and whether it is part of the replica identity. */
  record Column(String name, boolean isIdentity, int type, int modifier) {}

  /** A new row. */
  record Insert(int relation, List<Cell> after) implements PgOutputMessage {}

  /** A row with other values; {@code before} only if its identity changed, or is the whole row. */
  record Update(int relation, @Nullable OldRow before, List<Cell> after)
      implements PgOutputMessage {}

  /** A row that is gone. */
  record Delete(int relation, OldRow before) implements PgOutputMessage {}

  /** Tables that are empty now. */
  record Truncate(List<Integer> relations) implements PgOutputMessage {}

  /** What somebody sent by {@code pg_logical_emit_message}. */
  record Sent(boolean isTransactional, long lsn, String prefix, String text)
      implements PgOutputMessage {}

  /** An origin, a type, or a message of somebody else, which nothing here needs. */
  record Other(char type) implements PgOutputMessage {}

  /**
   * An old row.
   *
   * @param isWhole whether every column counts; else only those of the identity do, and the others
   *     are NULL without being so
   */
  record OldRow(boolean isWhole, List<Cell> cells) {}

  /** One value of a row. */
  record Cell(Told told, @Nullable String text) {
    static final Cell NULL = new Cell(Told.NULL, null);
    static final Cell UNTOLD = new Cell(Told.NOTHING, null);
  }

  /** What is told of a value. */
  enum Told {
    TEXT,
    NULL,
    /** A long value that was not touched, one too long to keep, or one in binary form. */
    NOTHING
  }

  /**
   * Reads one message, all of the buffer.
   *
   * @throws IllegalArgumentException if it is none, with what was found where
   */
  static PgOutputMessage read(ByteBuffer buffer) {
    return new Reader(buffer).message();
  }

  /** Reads from a buffer, and complains with the place. */
  final class Reader {
    /** No character takes more bytes in UTF-8. */
    private static final int LONGEST_BYTES = 4 * RowImage.LONGEST_VALUE;

    private final ByteBuffer buffer;
    private char type = '?';

    private Reader(ByteBuffer buffer) {
      this.buffer = buffer;
    }

    private PgOutputMessage message() {
      type = (char) oneByte();
      PgOutputMessage message =
          switch (type) {
            case 'B' -> begin();
            case 'C' -> commit();
            case 'R' -> relation();
            case 'I' -> insert();
            case 'U' -> update();
            case 'D' -> delete();
            case 'T' -> truncate();
            case 'M' -> sent();
            case 'O', 'Y' -> {
              buffer.position(buffer.limit());
              yield new Other(type);
            }
            default -> throw malformed("a type that protocol version 1 does not know");
          };
      if (buffer.hasRemaining()) {
        throw malformed(buffer.remaining() + " bytes too many");
      }
      return message;
    }

    private Begin begin() {
      long lsn = eightBytes();
      eightBytes(); // the time of the commit
      return new Begin(lsn, fourBytes());
    }

    private Commit commit() {
      oneByte(); // flags, none so far
      long lsn = eightBytes();
      long end = eightBytes();
      eightBytes(); // the time of the commit
      return new Commit(lsn, end);
    }

    private Relation relation() {
      int id = fourBytes();
      String schema = name();
      String name = name();
      oneByte(); // the kind of replica identity; the columns tell the same
      int count = twoBytes();
      List<Column> columns = new ArrayList<>(Math.min(count, buffer.remaining()));
      for (int i = 0; i < count; i++) {
        boolean isIdentity = (oneByte() & 1) != 0;
        columns.add(new Column(name(), isIdentity, fourBytes(), fourBytes()));
      }
      // The protocol's short form of the catalogue's own schema.
      return new Relation(
          id, new TableName(schema.isEmpty() ? "pg_catalog" : schema, name), List.copyOf(columns));
    }

    private Insert insert() {
      int relation = fourBytes();
      expect('N');
      return new Insert(relation, row());
    }

    private Update update() {
      int relation = fourBytes();
      char kind = (char) oneByte();
      OldRow before = null;
      if (kind != 'N') {
        before = oldRow(kind);
        expect('N');
      }
      return new Update(relation, before, row());
    }

    private Delete delete() {
      int relation = fourBytes();
      return new Delete(relation, oldRow((char) oneByte()));
    }

    private Truncate truncate() {
      int count = fourBytes();
      if (count < 0 || count > buffer.remaining() / 4) {
        throw malformed(Integer.toUnsignedString(count) + " tables");
      }
      oneByte(); // CASCADE, RESTART IDENTITY
      List<Integer> relations = new ArrayList<>(count);
      for (int i = 0; i < count; i++) {
        relations.add(fourBytes());
      }
      return new Truncate(List.copyOf(relations));
    }

    private PgOutputMessage sent() {
      boolean isTransactional = (oneByte() & 1) != 0;
      long lsn = eightBytes();
      String prefix = name();
      int length = length();
      if (!prefix.startsWith(ShardChange.Message.PREFIX)) {
        skip(length);
        return new Other(type);
      }
      return new Sent(isTransactional, lsn, prefix, text(length));
    }

    private OldRow oldRow(char kind) {
      return switch (kind) {
        case 'K' -> new OldRow(false, row());
        case 'O' -> new OldRow(true, row());
        default -> throw malformed("a row of kind " + printed(kind));
      };
    }

    private List<Cell> row() {
      int count = twoBytes();
      List<Cell> cells = new ArrayList<>(Math.min(count, buffer.remaining()));
      for (int i = 0; i < count; i++) {
        cells.add(cell());
      }
      return cells;
    }

    private Cell cell() {
      char kind = (char) oneByte();
      switch (kind) {
        case 'n':
          return Cell.NULL;
        case 'u':
          return Cell.UNTOLD;
        case 'b':
          skip(length());
          return Cell.UNTOLD;
        case 't':
          int length = length();
          if (length > LONGEST_BYTES) {
            skip(length);
            return Cell.UNTOLD;
          }
          String text = text(length);
          return text.length() > RowImage.LONGEST_VALUE ? Cell.UNTOLD : new Cell(Told.TEXT, text);
        default:
          throw malformed("a value of kind " + printed(kind));
      }
    }

    private void expect(char kind) {
      char found = (char) oneByte();
      if (found != kind) {
        throw malformed("a row of kind " + printed(found) + " where " + kind + " belongs");
      }
    }

    private byte oneByte() {
      need(1);
      return buffer.get();
    }

    private int twoBytes() {
      need(2);
      return Short.toUnsignedInt(buffer.getShort());
    }

    private int fourBytes() {
      need(4);
      return buffer.getInt();
    }

    private long eightBytes() {
      need(8);
      return buffer.getLong();
    }

    private int length() {
      int length = fourBytes();
      if (length < 0) {
        throw malformed("a length of " + length);
      }
      need(length);
      return length;
    }

    private String text(int length) {
      byte[] bytes = new byte[length];
      buffer.get(bytes);
      return new String(bytes, StandardCharsets.UTF_8);
    }

    private void skip(int length) {
      buffer.position(buffer.position() + length);
    }

    /** A text that ends with a zero. */
    private String name() {
      for (int end = buffer.position(); end < buffer.limit(); end++) {
        if (buffer.get(end) == 0) {
          String name = text(end - buffer.position());
          buffer.get();
          return name;
        }
      }
      throw malformed("a name without an end");
    }

    private void need(int bytes) {
      if (buffer.remaining() < bytes) {
        throw malformed("an end where " + bytes + " more bytes belong");
      }
    }

    private static String printed(char kind) {
      return kind > ' ' && kind < 127
          ? String.valueOf(kind)
          : "0x" + Integer.toHexString(kind & 0xFF);
    }

    private IllegalArgumentException malformed(String found) {
      return new IllegalArgumentException(
          "A message of type "
              + printed(type)
              + " has "
              + found
              + ", at byte "
              + buffer.position()
              + " of "
              + buffer.limit());
    }
  }
}
