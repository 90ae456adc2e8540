package dev.waymark.routing;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Queries of the shapes that are left to ShardingSphere, of those beside them that must not be, and
 * of all types. Where rows are cut, the order that is asked for leaves nothing open, or the query
 * without the cut is there as well.
 */
final class RandomEngineQueries {
  private final Random random;

  RandomEngineQueries(long seed) {
    this.random = new Random(seed);
  }

  /**
   * A query.
   *
   * @param cut what is known of a query with {@link Order#SOME}, otherwise null
   */
  record Query(String sql, List<@Nullable Object> values, Order order, @Nullable Cut cut) {
    Query(String sql, List<@Nullable Object> values, Order order) {
      this(sql, values, order, null);
    }
  }

  /**
   * Rows of another query that a LIMIT has left.
   *
   * @param place of the column whose values are known all the same, as it is sorted by that first;
   *     0 if there is none
   */
  record Cut(Query of, int place) {}

  /** What is known of the order of the rows. */
  enum Order {
    NONE,
    /** The server might give other rows in another order. */
    SOME,
    /** By so much that every row has its place. */
    TOTAL
  }

  private record From(
      String sql, List<String> columns, List<String> numbers, List<String> unique, String key) {}

  private static final List<String> USERS =
      List.of(
          "u.id",
          "u.name",
          "u.country",
          "u.age",
          "u.score",
          "u.joined",
          "u.born",
          "u.ratio",
          "u.active",
          "u.tag",
          "u.initial",
          "u.mood",
          "u.nick",
          "u.local_name",
          "u.share",
          "u.extra",
          "u.letters",
          "u.raw",
          "u.at",
          "u.place");
  private static final List<String> ORDERS =
      List.of(
          "o.id", "o.user_id", "o.total", "o.price", "o.placed", "o.status", "o.small", "o.number");
  private static final List<From> FROMS =
      List.of(
          new From("users u", USERS, List.of("u.age", "u.score", "u.id"), List.of("u.id"), "u.id"),
          new From(
              "orders o",
              ORDERS,
              List.of("o.total", "o.price", "o.small"),
              List.of("o.id"),
              "o.user_id"),
          new From(
              "users u JOIN orders o ON o.user_id = u.id",
              both(),
              List.of("u.age", "u.score", "o.total", "o.price", "u.ratio"),
              List.of("o.id"),
              "u.id"),
          new From(
              "users u LEFT JOIN orders o ON o.user_id = u.id AND o.total > 2",
              both(),
              List.of("u.age", "o.total", "o.price", "o.small"),
              List.of("u.id", "o.id"),
              "u.id"),
          new From(
              "orders o JOIN users u ON u.id = o.user_id JOIN countries c ON c.code = u.country",
              both(),
              List.of("u.score", "o.total", "o.price"),
              List.of("o.id"),
              "o.user_id"));

  private static List<String> both() {
    List<String> both = new ArrayList<>(USERS);
    both.addAll(ORDERS);
    return both;
  }

  private boolean chance(int percent) {
    return random.nextInt(100) < percent;
  }

  private <T> T any(List<T> some) {
    return some.get(random.nextInt(some.size()));
  }

  private List<String> some(From from, int most) {
    List<String> some = new ArrayList<>();
    int count = 1 + random.nextInt(most);
    while (some.size() < count) {
      String column = any(from.columns());
      String label = column.substring(2);
      if (some.stream().noneMatch(other -> other.substring(2).equals(label))) {
        some.add(column);
      }
    }
    return some;
  }

  /** An alias, at times a bad one: the name of a column, of another or of the very same. */
  private String alias(From from, String otherwise) {
    return chance(20) ? any(from.columns()).substring(2) : otherwise;
  }

  /** Some of them with an alias. */
  private List<String> aliased(From from, List<String> columns) {
    List<String> aliased = new ArrayList<>();
    for (int i = 0; i < columns.size(); i++) {
      aliased.add(columns.get(i) + (chance(25) ? " AS " + alias(from, "x" + i) : ""));
    }
    return aliased;
  }

  /** What such columns are sorted or grouped by: labels, or what they stand for. */
  private List<String> named(List<String> aliased) {
    return aliased.stream()
        .map(
            column -> {
              String[] parts = column.split(" AS ");
              return parts[chance(60) ? parts.length - 1 : 0];
            })
        .collect(Collectors.toCollection(ArrayList::new));
  }

  private String where(From from, List<@Nullable Object> values) {
    List<String> parts = new ArrayList<>();
    int count = random.nextInt(3);
    for (int i = 0; i < count; i++) {
      String column = any(from.columns());
      parts.add(
          switch (random.nextInt(12)) {
            case 0 -> column + " IS NOT NULL";
            case 1 -> {
              values.add(random.nextInt(5));
              yield any(from.numbers()) + " > ?";
            }
            case 2 -> {
              values.add((long) random.nextInt(15));
              yield from.key() + " >= ?";
            }
            case 3 -> {
              values.add((long) random.nextInt(15));
              values.add(random.nextInt(15));
              values.add(chance(90) ? (Object) (long) random.nextInt(15) : null);
              yield from.key() + " IN (?, ?, ?)";
            }
            case 4 -> from.key() + " BETWEEN " + random.nextInt(6) + " AND 9";
            case 5 -> {
              values.add((long) random.nextInt(6));
              values.add(random.nextInt(15));
              yield from.key() + " BETWEEN ? AND ?";
            }
            case 6 -> from.key() + " IN (1, " + random.nextInt(15) + ", '7')";
            case 7 -> "(" + from.key() + " = " + random.nextInt(15) + " OR " + column + " IS NULL)";
            case 8 -> "NOT (" + from.key() + " = " + random.nextInt(9) + ")";
            case 9 -> from.key() + " <> 4 AND " + from.key() + " < " + random.nextInt(15);
            case 10 -> {
              values.add(new Long[] {1L, (long) random.nextInt(12), 9L, null});
              yield from.key() + " = ANY (?)";
            }
            default -> "(" + column + " IS NULL OR " + any(from.numbers()) + " <> 3)";
          });
    }
    return parts.isEmpty() ? "" : " WHERE " + String.join(chance(80) ? " AND " : " OR ", parts);
  }

  private String direction() {
    return any(List.of("", " ASC", " DESC", " DESC NULLS LAST", " NULLS FIRST", " ASC NULLS LAST"));
  }

  private String sort(List<String> by) {
    return " ORDER BY "
        + by.stream().map(column -> column + direction()).collect(Collectors.joining(", "));
  }

  private String cut(List<@Nullable Object> values) {
    String limit = "";
    if (chance(70)) {
      if (chance(50)) {
        values.add((long) random.nextInt(7));
        limit = " LIMIT ?";
      } else {
        limit = any(List.of(" LIMIT 0", " LIMIT 1", " LIMIT 4", " LIMIT 50"));
      }
    }
    if (chance(40)) {
      if (chance(50)) {
        values.add(random.nextInt(5));
        limit += " OFFSET ?";
      } else {
        limit += " OFFSET " + random.nextInt(5);
      }
    }
    return limit;
  }

  Query query() {
    List<@Nullable Object> values = new ArrayList<>();
    From from = any(FROMS);
    int form = random.nextInt(100);
    if (form < 15) {
      String as = any(List.of("", " AS n", " n"));
      return new Query(
          "SELECT count(DISTINCT "
              + any(from.columns())
              + ")"
              + as
              + " FROM "
              + from.sql()
              + where(from, values),
          values,
          Order.NONE);
    } else if (form < 30) {
      return distinctCounts(from, values);
    } else if (form < 48) {
      return distinct(from, values);
    } else if (form < 64) {
      return hiddenSort(from, values);
    } else if (form < 82) {
      return groups(from, values);
    } else if (form < 92) {
      return union(from, values);
    }
    return others(from, values);
  }

  /** Comments that ShardingSphere would follow, or cut elsewhere than the server. */
  Query queryWithComments() {
    Query query = query();
    String comment =
        any(
            List.of(
                "/* SHARDINGSPHERE_HINT: SKIP_SQL_REWRITE=true */",
                "/* ShardingSphere hint: dataSourceName=shard_0 */",
                "/* a /* b */ c ' */",
                "-- it's\n"));
    return new Query(
        chance(50) ? comment + query.sql() : query.sql().replaceFirst(" ", " " + comment + " "),
        query.values(),
        query.order(),
        query.cut());
  }

  /** As many or as few as the groups: ShardingSphere may take that for the order of the groups. */
  private Query shortlySorted(
      String sql, List<String> by, int total, List<@Nullable Object> values) {
    Query uncut = new Query(sql, new ArrayList<>(values), Order.NONE);
    if (chance(20)) {
      return new Query(sql + cut(values), values, Order.SOME, new Cut(uncut, 0));
    }
    boolean isByTotal = chance(70);
    List<String> sorted = new ArrayList<>(by);
    if (isByTotal) {
      sorted.set(0, chance(50) ? by.get(total - 1) : String.valueOf(total));
    }
    if (sorted.size() == total) {
      sorted.remove(total - 1);
    }
    String order = chance(60) ? " ORDER BY " + String.join(", ", sorted) : sort(sorted);
    return new Query(
        sql + order + cut(values), values, Order.SOME, new Cut(uncut, isByTotal ? total : 1));
  }

  /** By what they are, by what they are called, or by their places, which are the first. */
  private String groupedBy(List<String> groups, List<String> named) {
    return chance(70)
        ? String.join(", ", groups)
        : chance(50)
            ? String.join(", ", named)
            : IntStream.rangeClosed(1, groups.size())
                .mapToObj(String::valueOf)
                .collect(Collectors.joining(", "));
  }

  private Query distinctCounts(From from, List<@Nullable Object> values) {
    List<String> groups = some(from, 2);
    List<String> shown = aliased(from, groups);
    String n = alias(from, "n");
    List<String> by = named(shown);
    shown.add("count(DISTINCT " + any(from.columns()) + ") AS " + n);
    if (chance(15)) {
      shown.add("count(*)");
    }
    String sql =
        "SELECT "
            + String.join(", ", shown)
            + " FROM "
            + from.sql()
            + where(from, values)
            + " GROUP BY "
            + groupedBy(groups, by);
    if (chance(30)) {
      by.add(n);
      return shortlySorted(sql, by, by.size(), values);
    } else if (chance(60)) {
      by.add(random.nextInt(by.size() + 1), chance(50) ? n : String.valueOf(groups.size() + 1));
      return new Query(sql + sort(by) + cut(values), values, Order.TOTAL);
    }
    return new Query(sql, values, Order.NONE);
  }

  private Query distinct(From from, List<@Nullable Object> values) {
    List<String> shown = aliased(from, some(from, 3));
    String sql =
        "SELECT DISTINCT " + String.join(", ", shown) + " FROM " + from.sql() + where(from, values);
    if (chance(60)) {
      List<String> by =
          chance(50)
              ? named(shown)
              : IntStream.rangeClosed(1, shown.size()).mapToObj(String::valueOf).toList();
      return new Query(sql + sort(by) + cut(values), values, Order.TOTAL);
    }
    return new Query(sql, values, Order.NONE);
  }

  private Query hiddenSort(From from, List<@Nullable Object> values) {
    List<String> shown = aliased(from, some(from, 3));
    List<String> by = chance(30) ? named(shown) : new ArrayList<>(some(from, 2));
    by.addAll(from.unique());
    String sql = "SELECT " + String.join(", ", shown) + " FROM " + from.sql() + where(from, values);
    return new Query(sql + sort(by) + cut(values), values, Order.TOTAL);
  }

  private String total(From from) {
    return any(
        List.of(
            "count(*)",
            "count(" + any(from.columns()) + ")",
            "sum(" + any(from.numbers()) + ")",
            "sum(" + any(from.numbers()) + ")",
            "min(" + any(from.numbers()) + ")",
            "max(" + any(from.numbers()) + ")",
            "avg(" + any(from.numbers()) + ")"));
  }

  private Query groups(From from, List<@Nullable Object> values) {
    List<String> groups = some(from, 2);
    boolean isHidden = chance(25);
    List<String> shown = aliased(from, isHidden ? groups.subList(1, groups.size()) : groups);
    List<String> by = named(shown);
    String a = alias(from, "a");
    shown.add(total(from) + " AS " + a);
    if (chance(40)) {
      shown.add(total(from) + " AS b");
    }
    String sql =
        "SELECT "
            + String.join(", ", shown)
            + " FROM "
            + from.sql()
            + where(from, values)
            + " GROUP BY "
            + (isHidden ? String.join(", ", groups) : groupedBy(groups, by));
    if (!isHidden && chance(30)) {
      by.add(a);
      return shortlySorted(sql, by, by.size(), values);
    } else if (isHidden || chance(20)) {
      return new Query(sql + (chance(50) && !isHidden ? sort(List.of(a)) : ""), values, Order.NONE);
    }
    by.add(0, chance(50) ? a : String.valueOf(groups.size() + 1));
    return new Query(sql + sort(by) + cut(values), values, Order.TOTAL);
  }

  private Query union(From from, List<@Nullable Object> values) {
    String column = any(from.columns());
    String c = alias(from, "c");
    String all = chance(80) ? " UNION ALL " : any(List.of(" UNION ", " INTERSECT ", " EXCEPT "));
    String sql =
        "SELECT "
            + from.unique().get(0)
            + " AS i, "
            + column
            + " AS "
            + c
            + " FROM "
            + from.sql()
            + where(from, values)
            + all
            + "SELECT "
            + from.unique().get(0)
            + ", "
            + column
            + " FROM "
            + from.sql()
            + where(from, values);
    if (chance(60)) {
      return new Query(sql + sort(List.of("i", c)) + cut(values), values, Order.TOTAL);
    }
    return new Query(sql, values, Order.NONE);
  }

  private Query others(From from, List<@Nullable Object> values) {
    String column = any(from.columns());
    String number = any(from.numbers());
    String sql =
        any(
            List.of(
                "SELECT sum(DISTINCT " + number + ") FROM " + from.sql(),
                "SELECT count(DISTINCT " + column + ") FILTER (WHERE true) FROM " + from.sql(),
                "SELECT count(DISTINCT " + column + "), count(*) FROM " + from.sql(),
                "SELECT row_number() OVER (ORDER BY " + column + ") FROM " + from.sql(),
                "SELECT sum(" + number + ") + 1 FROM " + from.sql(),
                "SELECT DISTINCT ON (" + column + ") " + column + " FROM " + from.sql(),
                "SELECT DISTINCT \"age\" FROM users",
                "SELECT DISTINCT E'a' FROM " + from.sql(),
                "SELECT "
                    + column
                    + ", count(*) FROM "
                    + from.sql()
                    + " GROUP BY "
                    + column
                    + " HAVING count(*) > 1",
                "SELECT DISTINCT " + column + " FROM (SELECT * FROM users) u, orders o"));
    return new Query(sql, values, Order.NONE);
  }
}
