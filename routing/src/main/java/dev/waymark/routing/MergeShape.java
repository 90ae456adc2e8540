package dev.waymark.routing;

import dev.waymark.routing.Merged.Role;
import dev.waymark.routing.Merged.SortKey;
import dev.waymark.routing.ShardText.Average;
import dev.waymark.routing.SqlScanner.Markers;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.IntFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * How the answers to one text are merged, once the types of its columns are known. An immutable
 * value.
 *
 * @param text what each shard is asked
 * @param merged what was decided from the text alone
 * @param sortColumns the column of each sort, counted from 1
 * @param kinds of the columns that are compared or added up, by their place; of others {@link
 *     ColumnKind#OTHER}
 */
record MergeShape(
    ShardText text, Merged merged, List<Integer> sortColumns, List<ColumnKind> kinds) {
  /** Copies. */
  MergeShape {
    sortColumns = List.copyOf(sortColumns);
    kinds = List.copyOf(kinds);
  }

  /** Whether rows are put together to others. */
  boolean isTotal() {
    return !merged.columns().isEmpty();
  }

  /** The kind of a column, counted from 1. */
  ColumnKind kind(int column) {
    return kinds.get(column - 1);
  }

  /** Whether a server need be asked for types. */
  static boolean needsTypes(Merged merged) {
    return !merged.columns().isEmpty() || !merged.sorts().isEmpty();
  }

  /** The shape of a query whose rows need not be compared. */
  static MergeShape ofPlainRows(ShardText text, Merged merged) {
    return new MergeShape(text, merged, List.of(), List.of());
  }

  /**
   * Asks a server for the types, and for the collations of texts: one round trip or two, none of
   * which runs the query.
   *
   * @throws java.sql.SQLFeatureNotSupportedException if values would have to be compared whose
   *     order only the server knows
   */
  static MergeShape of(
      ShardText text, Merged merged, Markers markers, BoundValues values, Connection connection)
      throws SQLException {
    List<Integer> sortColumns = sortColumns(text, merged, markers, connection);
    Set<Integer> wanted = new LinkedHashSet<>(sortColumns);
    for (int i = 1; i <= merged.columns().size(); i++) {
      wanted.add(i);
    }
    for (Average average : text.averages()) {
      wanted.add(average.sum());
    }
    List<Integer> columns = wanted.stream().sorted().toList();
    Types types = new Types(text, markers, values, connection, columns);
    Map<Integer, ColumnKind> found = types.kinds();
    List<ColumnKind> kinds = new ArrayList<>();
    for (int i = 1; i <= columns.get(columns.size() - 1); i++) {
      kinds.add(found.getOrDefault(i, ColumnKind.OTHER));
    }
    MergeShape shape = new MergeShape(text, merged, sortColumns, kinds);
    shape.check();
    return shape;
  }

  /** The kinds of a text's first columns, asked as {@link #of} does; the text is not run. */
  static List<ColumnKind> kinds(
      ShardText text, int columns, Markers markers, BoundValues values, Connection connection)
      throws SQLException {
    List<Integer> all = IntStream.rangeClosed(1, columns).boxed().toList();
    Map<Integer, ColumnKind> found = new Types(text, markers, values, connection, all).kinds();
    return all.stream().map(column -> found.getOrDefault(column, ColumnKind.OTHER)).toList();
  }

  private void check() throws SQLException {
    for (int column : sortColumns) {
      if (!kind(column).canBeSorted()) {
        throw refused(column, "the order of");
      }
    }
    for (int i = 0; i < merged.columns().size(); i++) {
      Role role = merged.columns().get(i);
      ColumnKind kind = kinds.get(i);
      boolean isKnown =
          switch (role) {
            case GROUP -> kind.canBeGrouped();
            case MIN, MAX -> kind.canBeSorted();
            case COUNT -> kind == ColumnKind.WHOLE;
            case SUM -> canBeAdded(kind);
            // The average of reals is made of a sum in double precision, which no shard tells.
            case AVERAGE -> canBeAdded(kind) && kind(average(i + 1).sum()) != ColumnKind.REAL;
          };
      if (!isKnown) {
        throw refused(
            i + 1,
            role == Role.GROUP ? "what equals" : role == Role.SUM ? "the sum of" : role + " of");
      }
    }
  }

  /** The parts of the average in a column. */
  Average average(int column) {
    return text.averages().stream()
        .filter(average -> average.column() == column)
        .findFirst()
        .orElseThrow();
  }

  private static boolean canBeAdded(ColumnKind kind) {
    return kind == ColumnKind.WHOLE
        || kind == ColumnKind.DECIMAL
        || kind == ColumnKind.REAL
        || kind == ColumnKind.DOUBLE;
  }

  private static SQLException refused(int column, String what) {
    return new Refusal(
            SqlCode.TYPE_NOT_MERGED,
            "Over several shards "
                + what.toLowerCase(java.util.Locale.ROOT)
                + " column "
                + column
                + " would have to be found out here, and only the server knows it for this type or"
                + " collation")
        .exception();
  }

  private static List<Integer> sortColumns(
      ShardText text, Merged merged, Markers markers, Connection connection) throws SQLException {
    List<Integer> columns = new ArrayList<>();
    List<String> labels = null;
    for (SortKey sort : merged.sorts()) {
      if (sort.position() > 0) {
        columns.add(sort.position());
        continue;
      }
      if (labels == null) {
        labels = labels(text, markers, connection);
      }
      int first = labels.indexOf(sort.label());
      if (first < 0 || first != labels.lastIndexOf(sort.label())) {
        throw new Refusal(
                SqlCode.NOT_MERGED_EXACTLY,
                "Over several shards it is sorted by "
                    + sort.label()
                    + ", which is not one column of the result")
            .exception();
      }
      columns.add(first + 1);
    }
    return columns;
  }

  private static List<String> labels(ShardText text, Markers markers, Connection connection)
      throws SQLException {
    // With no rows: the server would run a text without parameters to describe it.
    String sql = "SELECT * FROM (" + text.sql() + "\n) AS q LIMIT 0";
    List<String> labels = new ArrayList<>();
    if (markers == Markers.JDBC) {
      try (PreparedStatement statement = connection.prepareStatement(sql)) {
        add(statement.getMetaData(), labels);
      }
    } else {
      try (Statement statement = connection.createStatement();
          ResultSet none = statement.executeQuery(sql)) {
        add(none.getMetaData(), labels);
      }
    }
    return labels;
  }

  private static void add(ResultSetMetaData columns, List<String> labels) throws SQLException {
    for (int i = 1; i <= columns.getColumnCount(); i++) {
      labels.add(columns.getColumnLabel(i));
    }
  }

  /** Asks a server. */
  private record Types(
      ShardText text,
      Markers markers,
      BoundValues values,
      Connection connection,
      List<Integer> columns) {
    private static final int PADDED = 1042;

    /** What is done with a row of an answer. */
    private interface Row {
      void read(ResultSet row) throws SQLException;
    }

    Map<Integer, ColumnKind> kinds() throws SQLException {
      Map<Integer, ColumnKind> kinds = new HashMap<>();
      Map<Integer, Integer> texts = new HashMap<>();
      ask(
          "SELECT asked.n, CASE type.typtype WHEN 'd' THEN type.typbasetype ELSE type.oid END,"
              + " type.typtype FROM "
              + asked(columns, column -> "pg_typeof(q.c" + column + ")::oid")
              + " JOIN pg_catalog.pg_type AS type ON type.oid = asked.what",
          row -> {
            int column = row.getInt(1);
            int type = (int) row.getLong(2);
            if (ColumnKind.isText(type)) {
              texts.put(column, type);
            } else {
              kinds.put(
                  column,
                  row.getString(3).equals("e") ? ColumnKind.LABEL : ColumnKind.ofType(type));
            }
          });
      if (!texts.isEmpty()) {
        List<Integer> asked = texts.keySet().stream().sorted().toList();
        ask(
            "SELECT asked.n, l.collisdeterministic AND"
                + " pg_catalog.pg_encoding_to_char(d.encoding) = 'UTF8', CASE l.collprovider WHEN"
                + " 'd' THEN d.datlocprovider ELSE l.collprovider END, CASE l.collprovider WHEN 'd'"
                + " THEN d.datcollate ELSE l.collcollate END FROM "
                + asked(asked, column -> "pg_collation_for(q.c" + column + ")::regcollation::oid")
                + " JOIN pg_catalog.pg_collation AS l ON l.oid = asked.what CROSS JOIN"
                + " pg_catalog.pg_database AS d WHERE d.datname = current_database()",
            row -> {
              if (row.getBoolean(2)) {
                boolean isPadded = texts.getOrDefault(row.getInt(1), 0) == PADDED;
                boolean isBytewise = isBytewise(row.getString(3), row.getString(4));
                kinds.put(
                    row.getInt(1),
                    isBytewise
                        ? isPadded ? ColumnKind.BYTEWISE_PADDED : ColumnKind.BYTEWISE_TEXT
                        : isPadded ? ColumnKind.PADDED : ColumnKind.TEXT);
              }
            });
      }
      return kinds;
    }

    /** PostgreSQL's own provider compares bytes whatever the locale. */
    private static boolean isBytewise(String provider, String locale) {
      return provider.equals("b")
          || provider.equals("c") && (locale.equals("C") || locale.equals("POSIX"));
    }

    /** A row for each column, of what is asked of it; the query itself is not run. */
    private String asked(List<Integer> columns, IntFunction<String> question) {
      return "(SELECT "
          + columns.stream()
              .map(column -> question.apply(column) + " AS w" + column)
              .collect(Collectors.joining(", "))
          + " FROM (SELECT 1) AS one LEFT JOIN ("
          + text.sql()
          + "\n) AS q("
          + names(columns.get(columns.size() - 1))
          + ") ON false) AS p CROSS JOIN LATERAL (VALUES "
          + columns.stream()
              .map(column -> "(" + column + ", p.w" + column + ")")
              .collect(Collectors.joining(", "))
          + ") AS asked(n, what)";
    }

    private static String names(int count) {
      String[] names = new String[count];
      Arrays.setAll(names, i -> "c" + (i + 1));
      return String.join(", ", names);
    }

    private void ask(String sql, Row row) throws SQLException {
      if (markers == Markers.JDBC) {
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
          text.bind(statement, values);
          try (ResultSet answer = statement.executeQuery()) {
            while (answer.next()) {
              row.read(answer);
            }
          }
        }
      } else {
        try (Statement statement = connection.createStatement();
            ResultSet answer = statement.executeQuery(sql)) {
          while (answer.next()) {
            row.read(answer);
          }
        }
      }
    }
  }
}
