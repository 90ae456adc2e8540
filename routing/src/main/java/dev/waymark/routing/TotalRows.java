package dev.waymark.routing;

import dev.waymark.routing.Merged.Role;
import dev.waymark.routing.ShardText.Average;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.postgresql.core.BaseStatement;
import org.postgresql.core.Field;
import org.postgresql.core.Tuple;

/**
 * Groups of which each shard has told a part, or totals of all rows. They are put together in
 * memory; what has to be computed becomes a result set of the driver's as well, and everything else
 * is read from the shard's row that it came from.
 */
final class TotalRows extends MergedRows {
  private static final int BIGINT = 20;
  private static final int NUMERIC = 1700;
  private static final int REAL = 700;
  private static final int DOUBLE = 701;

  /** From so many digits before the point on the server writes an exponent. */
  private static final int DOUBLE_DIGITS = 15;

  private static final int REAL_DIGITS = 6;

  private final List<Role> roles;
  private final List<Group> groups;

  /** The computed values of each group in a row, and for each column its place in it. */
  private final ResultSet computed;

  private final int[] computedPlaces;
  private int at = -1;

  private TotalRows(
      ShardAnswers answers,
      int hidden,
      List<Role> roles,
      List<Group> groups,
      ResultSet computed,
      int[] computedPlaces) {
    super(answers, hidden);
    this.roles = roles;
    this.groups = groups;
    this.computed = computed;
    this.computedPlaces = computedPlaces;
  }

  /** A value of a group: a shard's own, or one that was computed of several. */
  private static final class Cell {
    /** Where the value is, if it is a shard's own. */
    private int shard;

    private int row;

    /** Null while all shards' were. Of an average the sum. */
    private @Nullable Object value;

    /** Of an average. */
    private long count;

    private boolean isComputed;

    Cell(int shard, int row) {
      this.shard = shard;
      this.row = row;
    }
  }

  /** A group, with its own values from the shard that told of it first. */
  private static final class Group {
    private final Cell[] cells;
    private @Nullable Object[] keys = {};

    Group(Cell[] cells) {
      this.cells = cells;
    }
  }

  /**
   * Puts the answers together.
   *
   * @throws SQLException code WM-021 if there are too many groups, or SQLSTATE 22003 if a sum does
   *     not fit
   */
  static TotalRows of(MergeShape shape, Bounds bounds, ShardAnswers answers, long maxRows)
      throws SQLException {
    List<Role> roles = shape.merged().columns();
    List<Group> groups = new ArrayList<>(read(shape, answers).values());
    if (!shape.sortColumns().isEmpty()) {
      RowOrder order = RowOrder.of(shape);
      for (Group group : groups) {
        group.keys = keys(shape, group, answers);
      }
      groups.sort((one, other) -> order.compare(one.keys, other.keys));
    }
    long limit = bounds.limit() < 0 ? Long.MAX_VALUE : bounds.limit();
    limit = maxRows == 0 ? limit : Math.min(limit, maxRows);
    if (groups.size() > limit) {
      groups = groups.subList(0, (int) limit);
    }
    int[] places = new int[roles.size()];
    ResultSet computed = computed(shape, groups, answers, places);
    return new TotalRows(
        answers, shape.text().averages().size() * 2, roles, groups, computed, places);
  }

  private static Map<List<@Nullable Object>, Group> read(MergeShape shape, ShardAnswers answers)
      throws SQLException {
    List<Role> roles = shape.merged().columns();
    Map<List<@Nullable Object>, Group> groups = new LinkedHashMap<>();
    for (int shard = 0; shard < answers.size(); shard++) {
      ResultSet rows = answers.get(shard).rows();
      int row = 0;
      while (rows.next()) {
        row++;
        @Nullable Object[] identity = new @Nullable Object[roles.size()];
        for (int i = 0; i < roles.size(); i++) {
          if (roles.get(i) == Role.GROUP) {
            Object value = shape.kind(i + 1).of(rows, i + 1);
            identity[i] = value == null ? null : shape.kind(i + 1).identity(value);
          }
        }
        List<@Nullable Object> key = Arrays.asList(identity);
        Group group = groups.get(key);
        if (group == null) {
          Cell[] cells = new Cell[roles.size()];
          for (int i = 0; i < cells.length; i++) {
            cells[i] = new Cell(shard, row);
          }
          group = new Group(cells);
          groups.put(key, group);
        }
        if (row > FanOut.MAXIMUM_GROUPS || groups.size() > FanOut.MAXIMUM_GROUPS) {
          throw new Refusal(
                  SqlCode.TOO_MANY_GROUPS,
                  "The shards have more than "
                      + FanOut.MAXIMUM_GROUPS
                      + " groups, and not more are put together in memory")
              .exception();
        }
        for (int i = 0; i < roles.size(); i++) {
          add(shape, i + 1, group.cells[i], rows, shard, row);
        }
      }
    }
    return groups;
  }

  private static void add(
      MergeShape shape, int column, Cell cell, ResultSet rows, int shard, int row)
      throws SQLException {
    Role role = shape.merged().columns().get(column - 1);
    if (role == Role.GROUP) {
      return;
    }
    ColumnKind kind = shape.kind(column);
    long count = 0;
    if (role == Role.AVERAGE) {
      Average average = shape.average(column);
      count = rows.getLong(average.count());
      kind = shape.kind(average.sum());
      column = average.sum();
    }
    Object value = kind.of(rows, column);
    if (value == null) {
      return;
    }
    Object before = cell.value;
    if (before == null) {
      cell.shard = shard;
      cell.row = row;
      cell.value = value;
      cell.count = count;
    } else if (role == Role.MIN || role == Role.MAX) {
      int order = kind.order(value, before);
      if (role == Role.MIN ? order < 0 : order > 0) {
        cell.shard = shard;
        cell.row = row;
        cell.value = value;
      }
    } else {
      cell.value = Sums.add(kind, before, value);
      cell.count += count;
      cell.isComputed = true;
    }
  }

  /** What a cell that was computed holds in the end. */
  private static Object result(MergeShape shape, int column, Cell cell) {
    Object value = Objects.requireNonNull(cell.value);
    return shape.merged().columns().get(column - 1) == Role.AVERAGE
        ? Sums.average(shape.kind(column), value, cell.count)
        : value;
  }

  private static @Nullable Object[] keys(MergeShape shape, Group group, ShardAnswers answers)
      throws SQLException {
    @Nullable Object[] keys = new @Nullable Object[shape.sortColumns().size()];
    for (int i = 0; i < keys.length; i++) {
      int column = shape.sortColumns().get(i);
      Cell cell = group.cells[column - 1];
      if (cell.isComputed) {
        keys[i] = result(shape, column, cell);
      } else {
        ResultSet rows = answers.get(cell.shard).rows();
        rows.absolute(cell.row);
        keys[i] = shape.kind(column).of(rows, column);
      }
    }
    return keys;
  }

  private static ResultSet computed(
      MergeShape shape, List<Group> groups, ShardAnswers answers, int[] places)
      throws SQLException {
    List<Field> fields = new ArrayList<>();
    for (int i = 0; i < places.length; i++) {
      Role role = shape.merged().columns().get(i);
      if (role == Role.COUNT || role == Role.SUM || role == Role.AVERAGE) {
        fields.add(new Field("waymark_" + (i + 1), type(shape.kinds().get(i))));
        places[i] = fields.size();
      }
    }
    List<Tuple> rows = new ArrayList<>(groups.size());
    for (Group group : groups) {
      byte[] @Nullable [] values = new byte @Nullable [fields.size()][];
      for (int i = 0; i < places.length; i++) {
        if (group.cells[i].isComputed) {
          values[places[i] - 1] =
              text(result(shape, i + 1, group.cells[i])).getBytes(StandardCharsets.US_ASCII);
        }
      }
      rows.add(new Tuple(values));
    }
    return answers
        .get(0)
        .open()
        .statement()
        .unwrap(BaseStatement.class)
        .createDriverResultSet(fields.toArray(new Field[0]), rows);
  }

  private static int type(ColumnKind kind) {
    return switch (kind) {
      case WHOLE -> BIGINT;
      case DECIMAL -> NUMERIC;
      case REAL -> REAL;
      case DOUBLE -> DOUBLE;
      default -> throw new IllegalArgumentException("Nothing is computed of " + kind);
    };
  }

  private static String text(Object value) {
    if (value instanceof Double binary) {
      return Sums.text(binary, DOUBLE_DIGITS);
    } else if (value instanceof Float binary) {
      return Sums.text(binary, REAL_DIGITS);
    }
    return value instanceof BigDecimal decimal ? decimal.toPlainString() : value.toString();
  }

  @Override
  boolean hasRows() {
    return !groups.isEmpty();
  }

  @Override
  boolean step() {
    if (at + 1 >= groups.size()) {
      return false;
    }
    at++;
    return true;
  }

  private Cell cell(int column) throws SQLException {
    refuseUnlessOnRow();
    if (column < 1 || column > roles.size()) {
      throw new SQLException(
          "The column index is out of range: "
              + column
              + ", number of columns: "
              + roles.size()
              + ".",
          "22023");
    }
    return groups.get(at).cells[column - 1];
  }

  @Override
  ResultSet source(int column) throws SQLException {
    Cell cell = cell(column);
    ResultSet rows = cell.isComputed ? computed : answers().get(cell.shard).rows();
    int row = cell.isComputed ? at + 1 : cell.row;
    if (rows.getRow() != row) {
      rows.absolute(row);
    }
    return rows;
  }

  @Override
  int place(int column) {
    return groups.get(at).cells[column - 1].isComputed ? computedPlaces[column - 1] : column;
  }
}
