package dev.waymark.routing;

import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * A list over all shards that is read page by page: each page begins right behind the last row of
 * the one before, by the values of that row and not by counting. So rows that are inserted or
 * deleted meanwhile shift nothing: a row that is there all the time, and whose sorting values stay
 * the same, comes exactly once.
 *
 * <p>The last column must make the order total (the key, most often). Sorting values must not be
 * null: SQL finds no row behind a null, so such rows would be missing. One that comes is refused
 * with an error; exclude them in the query. An immutable value, safe to share.
 *
 * @param <T> a row
 */
public final class Keyset<T> {
  private static final String IDENTIFIER = "[A-Za-z_][A-Za-z0-9_]*";
  private static final int LONGEST_TEXT = 8_192;

  /**
   * What {@code timestamptz} holds, in seconds since 1970: from 4714-11-24 BC to the last second of
   * 294276, which rounding to microseconds could leave.
   */
  private static final long EARLIEST = -210_866_803_200L;

  private static final long LATEST = 9_224_318_015_999L;

  private final ShardQuery<T> query;
  private final List<Column<T>> columns;

  /** Which way a column is sorted. */
  public enum Direction {
    /** The least first. */
    ASCENDING,
    /** The greatest first. */
    DESCENDING
  }

  /** What a column is sorted by, and how a value of that stands in a token. */
  private enum Kind {
    WHOLE_NUMBER('l', "whole number") {
      @Override
      void write(ByteBuffer bytes, Column<?> column, Comparable<?> value) {
        bytes.putLong((Long) value);
      }

      @Override
      Comparable<?> read(ByteBuffer bytes, Column<?> column) {
        return bytes.getLong();
      }
    },
    TEXT('t', "text") {
      @Override
      void write(ByteBuffer bytes, Column<?> column, Comparable<?> value) {
        byte[] text = ((String) value).getBytes(StandardCharsets.UTF_8);
        if (text.length > LONGEST_TEXT) {
          throw new IllegalArgumentException(
              "The sorting column " + column.name() + " is longer than " + LONGEST_TEXT + " bytes");
        }
        bytes.putShort((short) text.length).put(text);
      }

      @Override
      Comparable<?> read(ByteBuffer bytes, Column<?> column) {
        byte[] text = new byte[Short.toUnsignedInt(bytes.getShort())];
        bytes.get(text);
        try {
          String decoded =
              StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(text)).toString();
          if (text.length <= LONGEST_TEXT && decoded.indexOf(0) < 0) {
            return decoded;
          }
        } catch (CharacterCodingException invalid) {
          // As one that no server would have.
        }
        throw refused("what it holds for " + column.name() + " is no text of a server's");
      }
    },
    INSTANT('i', "instant") {
      @Override
      void write(ByteBuffer bytes, Column<?> column, Comparable<?> value) {
        Instant instant = (Instant) value;
        bytes.putLong(instant.getEpochSecond()).putInt(instant.getNano());
      }

      @Override
      Comparable<?> read(ByteBuffer bytes, Column<?> column) {
        long seconds = bytes.getLong();
        int nanos = bytes.getInt();
        if (seconds < EARLIEST || seconds >= LATEST || nanos < 0 || nanos > 999_999_999) {
          throw refused("what it holds for " + column.name() + " is no instant of a server's");
        }
        return Instant.ofEpochSecond(seconds, nanos);
      }
    };

    private final byte tag;
    private final String words;

    Kind(char tag, String words) {
      this.tag = (byte) tag;
      this.words = words;
    }

    abstract void write(ByteBuffer bytes, Column<?> column, Comparable<?> value);

    /** Refuses what no server would have given. */
    abstract Comparable<?> read(ByteBuffer bytes, Column<?> column);
  }

  /** One sorting column: {@code value} is what a row holds there. */
  private record Column<T>(
      String name,
      String expression,
      Kind kind,
      Direction direction,
      Function<T, ? extends Comparable<?>> value) {}

  private Keyset(ShardQuery<T> query, List<Column<T>> columns) {
    this.query = query;
    this.columns = columns;
  }

  /**
   * A list of a query's rows.
   *
   * @param query one SELECT without ORDER BY and LIMIT, whose result has every column sorted by
   */
  public static <T> Keyset<T> of(ShardQuery<T> query) {
    return new Keyset<>(query, List.of());
  }

  /** Sorted by a column of whole numbers, behind what it is sorted by already. */
  public Keyset<T> byLong(String column, Direction direction, Function<T, Long> value) {
    return by(column, column, Kind.WHOLE_NUMBER, direction, value);
  }

  /**
   * Sorted by a column of text, by code points: the one order that every shard and this process
   * agree on, whatever collation the column has. Only an index with collation {@code C} serves it.
   */
  public Keyset<T> byText(String column, Direction direction, Function<T, String> value) {
    return by(column, column + " COLLATE \"C\"", Kind.TEXT, direction, value);
  }

  /** Sorted by a column of {@code timestamptz}. */
  public Keyset<T> byInstant(String column, Direction direction, Function<T, Instant> value) {
    return by(column, column, Kind.INSTANT, direction, value);
  }

  private Keyset<T> by(
      String column,
      String expression,
      Kind kind,
      Direction direction,
      Function<T, ? extends Comparable<?>> value) {
    if (!column.matches(IDENTIFIER)) {
      throw new IllegalArgumentException(
          "A sorting column must be a plain name, not '" + column + "'");
    }
    List<Column<T>> more = new ArrayList<>(columns);
    more.add(new Column<>(column, expression, kind, direction, value));
    return new Keyset<>(query, List.copyOf(more));
  }

  /** The order of the list. */
  Comparator<T> order() {
    if (columns.isEmpty()) {
      throw new IllegalStateException("Say what the pages are sorted by");
    }
    return (left, right) -> {
      for (Column<T> column : columns) {
        int compared = compare(value(column, left), value(column, right));
        if (compared != 0) {
          return column.direction() == Direction.ASCENDING ? compared : -compared;
        }
      }
      return 0;
    };
  }

  @SuppressWarnings({"unchecked", "rawtypes"}) // One column holds values of one type.
  private static int compare(Comparable left, Comparable right) {
    return left instanceof String text
        ? compareCodePoints(text, (String) right)
        : left.compareTo(right);
  }

  /**
   * As collation {@code C} compares the UTF-8 of both. Java's own order differs beyond the basic
   * plane: the halves of such a character come before U+E000, the character itself after it.
   */
  private static int compareCodePoints(String left, String right) {
    int length = Math.min(left.length(), right.length());
    for (int i = 0; i < length; i++) {
      char one = left.charAt(i);
      char other = right.charAt(i);
      if (one != other) {
        boolean isPair = Character.isSurrogate(one);
        return isPair == Character.isSurrogate(other) ? one - other : isPair ? 1 : -1;
      }
    }
    return left.length() - right.length();
  }

  private static <T> Comparable<?> value(Column<T> column, T row) {
    return Objects.requireNonNull(
        column.value().apply(row), () -> "The sorting column " + column.name() + " is null");
  }

  /** Told at the first one that comes, and not once a page is missing what is behind it. */
  private T withoutNull(T row) {
    for (Column<T> column : columns) {
      if (column.value().apply(row) == null) {
        throw new IllegalArgumentException(
            "The sorting column "
                + column.name()
                + " is null in a row; no page begins behind a null, so exclude such rows in the"
                + " query");
      }
    }
    return row;
  }

  /** The query of one page: at most {@code rows} rows behind a place, null for the beginning. */
  ShardQuery<T> page(@Nullable List<Comparable<?>> behind, int rows) {
    String condition = behind == null ? "" : " WHERE " + condition();
    String order =
        columns.stream()
            .map(
                column ->
                    column.expression()
                        + (column.direction() == Direction.ASCENDING ? " ASC" : " DESC"))
            .collect(Collectors.joining(", "));
    String sql =
        "SELECT * FROM ("
            + query.sql()
            + ") AS page"
            + condition
            + " ORDER BY "
            + order
            + " LIMIT "
            + rows;
    return new ShardQuery<>(
        sql,
        statement -> {
          query.parameters().set(statement);
          if (behind != null) {
            int first = statement.getParameterMetaData().getParameterCount() - values() + 1;
            set(statement, first, behind);
          }
        },
        row -> withoutNull(query.row().of(row)),
        Math.max(1, rows));
  }

  /** How many parameters the condition has. */
  private int values() {
    return isUniform() ? columns.size() : columns.size() * (columns.size() + 1) / 2;
  }

  private boolean isUniform() {
    return columns.stream().map(Column::direction).distinct().count() == 1;
  }

  /** A comparison of rows where one index can serve it, else column by column. */
  private String condition() {
    if (isUniform()) {
      String names = columns.stream().map(Column::expression).collect(Collectors.joining(", "));
      String marks = columns.stream().map(column -> "?").collect(Collectors.joining(", "));
      return "(" + names + ") " + sign(columns.get(0)) + " (" + marks + ")";
    }
    List<String> cases = new ArrayList<>();
    for (int i = 0; i < columns.size(); i++) {
      StringBuilder one = new StringBuilder();
      for (int j = 0; j < i; j++) {
        one.append(columns.get(j).expression()).append(" = ? AND ");
      }
      cases.add(one + columns.get(i).expression() + " " + sign(columns.get(i)) + " ?");
    }
    return "((" + String.join(") OR (", cases) + "))";
  }

  private static String sign(Column<?> column) {
    return column.direction() == Direction.ASCENDING ? ">" : "<";
  }

  private void set(PreparedStatement statement, int first, List<Comparable<?>> values)
      throws SQLException {
    int at = first;
    if (isUniform()) {
      for (Comparable<?> value : values) {
        set(statement, at++, value);
      }
      return;
    }
    for (int i = 0; i < values.size(); i++) {
      for (int j = 0; j <= i; j++) {
        set(statement, at++, values.get(j));
      }
    }
  }

  private static void set(PreparedStatement statement, int at, Comparable<?> value)
      throws SQLException {
    if (value instanceof Instant instant) {
      statement.setObject(at, OffsetDateTime.ofInstant(instant, ZoneOffset.UTC));
    } else {
      statement.setObject(at, value);
    }
  }

  /** The place behind a row, as text that travels. */
  String tokenBehind(T row) {
    ByteBuffer bytes = ByteBuffer.allocate(1 << 16);
    bytes.putInt(fingerprint());
    for (Column<T> column : columns) {
      bytes.put(column.kind().tag);
      column.kind().write(bytes, column, value(column, row));
    }
    byte[] payload = Arrays.copyOf(bytes.array(), bytes.position());
    CRC32C checksum = new CRC32C();
    checksum.update(payload);
    ByteBuffer whole = ByteBuffer.allocate(payload.length + 4);
    whole.put(payload).putInt((int) checksum.getValue());
    return Base64.getUrlEncoder().withoutPadding().encodeToString(whole.array());
  }

  /**
   * The values of the row that a token stands behind. Tokens travel through clients and are not
   * signed: whoever makes one up gets at rows behind a place of his choosing, which the query gives
   * anyway, or is refused here. No server is ever sent a value that it would not take.
   *
   * @throws IllegalArgumentException if it is damaged, of another list, or holds for a column what
   *     is never in one; the message says which
   */
  List<Comparable<?>> parse(String token) {
    ByteBuffer bytes = payload(token);
    if (bytes.getInt() != fingerprint()) {
      throw refused("it belongs to a list that is sorted or selected in another way");
    }
    List<Comparable<?>> values = new ArrayList<>();
    for (Column<T> column : columns) {
      try {
        if (bytes.get() != column.kind().tag) {
          throw refused("what it holds for " + column.name() + " is no " + column.kind().words);
        }
        values.add(column.kind().read(bytes, column));
      } catch (BufferUnderflowException ended) {
        throw refused("it ends within what it holds for " + column.name());
      }
    }
    if (bytes.hasRemaining()) {
      throw refused("it goes on behind what it holds for the last column");
    }
    return values;
  }

  /** All but the checksum; at least a fingerprint. */
  private static ByteBuffer payload(String token) {
    byte[] whole;
    try {
      whole = Base64.getUrlDecoder().decode(token);
    } catch (IllegalArgumentException notBase64) {
      throw refused("it has characters that are in none, or lacks some");
    }
    if (whole.length < 8) {
      throw refused("it is too short");
    }
    CRC32C checksum = new CRC32C();
    checksum.update(whole, 0, whole.length - 4);
    if (ByteBuffer.wrap(whole, whole.length - 4, 4).getInt() != (int) checksum.getValue()) {
      throw refused("its checksum does not fit, so it is damaged");
    }
    return ByteBuffer.wrap(whole, 0, whole.length - 4).slice();
  }

  private static IllegalArgumentException refused(String why) {
    return new IllegalArgumentException(
        "The page token was refused: " + why + ". Begin with the first page.");
  }

  private int fingerprint() {
    CRC32C checksum = new CRC32C();
    checksum.update(query.sql().getBytes(StandardCharsets.UTF_8));
    checksum.update(ParameterText.of(query.parameters()).getBytes(StandardCharsets.UTF_8));
    for (Column<T> column : columns) {
      checksum.update((column.name() + column.direction()).getBytes(StandardCharsets.UTF_8));
    }
    return (int) checksum.getValue();
  }
}
