package dev.waymark.routing;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Queries over rows of many keys that sort, cut, group and add up in every way, most of which can
 * be merged and some of which must not be. Each gives the same rows whenever it is run: where rows
 * are cut, everything that is shown is sorted by.
 */
final class RandomMerges {
  private final Random random;

  RandomMerges(long seed) {
    this.random = new Random(seed);
  }

  /**
   * A query.
   *
   * @param sorted the columns that the rows come in the order of
   */
  record Query(String sql, List<@Nullable Object> values, List<Integer> sorted) {}

  private record From(String sql, List<String> plain, List<String> numbers, List<String> keys) {}

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
          "u.initial");
  private static final List<String> ORDERS =
      List.of("o.id", "o.user_id", "o.total", "o.price", "o.placed", "o.status");
  private static final List<From> FROMS =
      List.of(
          new From(
              "users u", USERS, List.of("u.age", "u.score", "u.ratio", "u.id"), List.of("u.id")),
          new From(
              "orders o", ORDERS, List.of("o.total", "o.price", "o.small"), List.of("o.user_id")),
          new From(
              "users u JOIN orders o ON o.user_id = u.id",
              both(),
              List.of("u.age", "u.score", "o.total", "o.price", "u.ratio"),
              List.of("u.id", "o.user_id")),
          new From(
              "users u LEFT JOIN orders o ON o.user_id = u.id AND o.total > 2",
              both(),
              List.of("u.age", "o.total", "o.price", "o.small"),
              List.of("u.id")),
          new From(
              "orders o JOIN users u ON u.id = o.user_id JOIN countries c ON c.code = u.country",
              both(),
              List.of("u.score", "o.total", "o.price"),
              List.of("o.user_id")));

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

  Query query() {
    List<Object> values = new ArrayList<>();
    From from = any(FROMS);
    int form = random.nextInt(100);
    if (form < 40) {
      return rows(from, values);
    } else if (form < 78) {
      return totals(from, values);
    } else if (form < 90) {
      return ofOneKey(from, values);
    }
    return refused(from, values);
  }

  private String where(From from, List<Object> values) {
    List<String> parts = new ArrayList<>();
    int count = random.nextInt(3);
    for (int i = 0; i < count; i++) {
      String column = any(from.plain());
      parts.add(
          switch (random.nextInt(9)) {
            case 0 -> column + " IS NOT NULL";
            case 1 -> any(from.numbers()) + " > " + random.nextInt(5);
            case 2 -> {
              values.add((long) random.nextInt(12));
              yield any(from.keys()) + " >= ?";
            }
            case 3 -> {
              values.add((long) random.nextInt(12));
              values.add((long) random.nextInt(12));
              values.add((long) random.nextInt(12));
              yield any(from.keys()) + " IN (?, ?, ?)";
            }
            case 4 -> any(from.keys()) + " BETWEEN " + random.nextInt(6) + " AND 9";
            case 5 -> {
              values.add(new Long[] {1L, (long) random.nextInt(12), 9L, null});
              yield any(from.keys()) + " = ANY (?)";
            }
            case 6 ->
                "EXISTS (SELECT 1 FROM payments p WHERE p.user_id = "
                    + any(from.keys())
                    + " AND p.amount > 1)";
            case 7 -> column + " IS DISTINCT FROM NULL";
            default -> "(" + column + " IS NULL OR " + any(from.numbers()) + " <> 3)";
          });
    }
    return parts.isEmpty() ? "" : " WHERE " + String.join(chance(80) ? " AND " : " OR ", parts);
  }

  private String shown(From from, List<Object> values) {
    String column = any(from.plain());
    return switch (random.nextInt(12)) {
      case 0 -> any(from.numbers()) + " * 2";
      case 1 -> "coalesce(" + any(from.numbers()) + ", 0)";
      case 2 -> "CASE WHEN " + column + " IS NULL THEN 'none' ELSE 'some' END";
      case 3 -> {
        values.add("x");
        yield "?::text || 'y'";
      }
      case 4 -> "(" + column + " IS DISTINCT FROM NULL)";
      case 5 -> "date_trunc('hour', '2026-01-01 10:20'::timestamp)";
      default -> column;
    };
  }

  private String direction() {
    return any(List.of("", " ASC", " DESC", " DESC NULLS LAST", " NULLS FIRST", " ASC NULLS LAST"));
  }

  private String sort(List<String> shown, List<Integer> columns) {
    return " ORDER BY "
        + columns.stream()
            .map(
                column ->
                    (chance(50) || shown.get(column - 1).contains("?")
                            ? column.toString()
                            : shown.get(column - 1))
                        + direction())
            .collect(Collectors.joining(", "));
  }

  private String cut(List<Object> values) {
    String limit = "";
    if (chance(80)) {
      if (chance(50)) {
        values.add(chance(90) ? (Object) (long) random.nextInt(9) : null);
        limit = chance(20) ? " FETCH FIRST (?::bigint) ROWS ONLY" : " LIMIT ?";
      } else {
        limit = " LIMIT " + any(List.of("0", "1", "3", "7", "ALL", "100"));
      }
    }
    if (chance(60)) {
      if (chance(50)) {
        values.add((long) random.nextInt(7));
        return limit + " OFFSET ?";
      }
      String offset = " OFFSET " + random.nextInt(7) + any(List.of("", " ROWS"));
      return limit.contains("?") || limit.contains("FETCH") || chance(50)
          ? limit.contains("FETCH") && !limit.contains("?") ? offset + limit : limit + offset
          : offset + limit;
    }
    return limit;
  }

  private static List<Integer> all(int count) {
    return IntStream.rangeClosed(1, count).boxed().collect(Collectors.toList());
  }

  private Query rows(From from, List<Object> values) {
    List<String> shown = new ArrayList<>();
    int count = 1 + random.nextInt(4);
    for (int i = 0; i < count; i++) {
      shown.add(shown(from, values));
    }
    String distinct = "";
    if (chance(10)) {
      shown.add(any(from.keys()));
      count++;
      distinct = "DISTINCT ";
    }
    String sql = "SELECT " + distinct + String.join(", ", shown) + " FROM " + from.sql();
    if (chance(8)) {
      sql = "SELECT * FROM " + from.sql();
      values.clear();
      return new Query(sql + where(from, values), values, List.of());
    }
    sql += where(from, values);
    if (chance(30)) {
      return new Query(sql, values, List.of());
    }
    List<Integer> sorted = all(count);
    Collections.shuffle(sorted, random);
    if (chance(60)) {
      sql += sort(shown, sorted);
      return new Query(sql + cut(values), values, sorted);
    }
    sorted = sorted.subList(0, 1 + random.nextInt(sorted.size()));
    return new Query(sql + sort(shown, sorted), values, List.copyOf(sorted));
  }

  private String total(From from, List<Object> values) {
    String number = any(from.numbers());
    return switch (random.nextInt(12)) {
      case 0, 1 -> "count(*)";
      case 2 -> "count(" + any(from.plain()) + ")";
      case 3, 4 -> "sum(" + number + ")";
      case 5, 6, 7 -> "avg(" + number + (chance(30) ? " * 1.5" : "") + ")";
      case 8 ->
          "min(" + any(from.plain()).replace("u.active", "u.id").replace("u.tag", "u.id") + ")";
      case 9 ->
          "max(" + any(from.plain()).replace("u.active", "u.id").replace("u.tag", "u.id") + ")";
      case 10 -> {
        values.add(random.nextInt(4));
        yield "avg(" + number + " + ?::int)";
      }
      default -> "sum(coalesce(" + number + ", 1))";
    };
  }

  private Query totals(From from, List<Object> values) {
    List<String> shown = new ArrayList<>();
    List<String> groups = new ArrayList<>();
    int grouped = random.nextInt(3);
    for (int i = 0; i < grouped; i++) {
      String group =
          chance(80) ? any(from.plain()) : "CASE WHEN " + any(from.plain()) + " IS NULL THEN 1 END";
      shown.add(group);
      groups.add(chance(50) ? group : String.valueOf(i + 1));
    }
    int totals = 1 + random.nextInt(3);
    for (int i = 0; i < totals; i++) {
      shown.add(total(from, values));
    }
    String sql = "SELECT " + String.join(", ", shown) + " FROM " + from.sql() + where(from, values);
    if (grouped > 0) {
      sql += " GROUP BY " + String.join(", ", groups);
    }
    if (grouped > 0 && chance(60)) {
      List<Integer> sorted = all(grouped);
      if (chance(50)) {
        return new Query(
            sql + sort(shown, sorted) + (chance(70) ? " LIMIT " + random.nextInt(6) : ""),
            values,
            sorted);
      }
      sorted = all(shown.size());
      Collections.shuffle(sorted, random);
      return new Query(sql + sort(shown, sorted), values, sorted);
    }
    return new Query(sql, values, List.of());
  }

  private Query ofOneKey(From from, List<Object> values) {
    String key = any(from.keys());
    List<String> shown = new ArrayList<>(List.of(key));
    shown.add(
        any(
            List.of(
                "count(DISTINCT " + any(from.plain()) + ")",
                joined(any(from.plain())),
                "percentile_disc(0.5) WITHIN GROUP (ORDER BY " + any(from.numbers()) + ")",
                "sum(" + any(from.numbers()) + ") FILTER (WHERE " + key + " > 3)")));
    shown.add(total(from, values));
    String sql = "SELECT " + String.join(", ", shown) + " FROM " + from.sql() + where(from, values);
    sql += " GROUP BY " + key;
    if (chance(50)) {
      sql += " HAVING count(*) > " + random.nextInt(3);
    }
    List<Integer> sorted = new ArrayList<>(List.of(3, 1));
    return new Query(sql + sort(shown, sorted) + cut(values), values, sorted);
  }

  private static String joined(String column) {
    return "string_agg(" + column + "::text, ',' ORDER BY " + column + "::text)";
  }

  private Query refused(From from, List<Object> values) {
    String column = any(from.plain());
    String number = any(from.numbers());
    String sql =
        any(
            List.of(
                "SELECT count(DISTINCT " + column + ") FROM " + from.sql(),
                "SELECT DISTINCT " + column + " FROM " + from.sql(),
                "SELECT row_number() OVER (ORDER BY " + column + "), 1 FROM " + from.sql(),
                "SELECT sum(" + number + ") OVER () FROM " + from.sql(),
                "SELECT string_agg(" + column + "::text, ',') FROM " + from.sql(),
                "SELECT sum(" + number + ") + 1 FROM " + from.sql(),
                "SELECT "
                    + column
                    + ", count(*) FROM "
                    + from.sql()
                    + " GROUP BY "
                    + column
                    + " HAVING count(*) > 1",
                "SELECT "
                    + column
                    + ", count(*) FROM "
                    + from.sql()
                    + " GROUP BY ROLLUP ("
                    + column
                    + ")",
                "WITH x AS (SELECT "
                    + column
                    + " AS v FROM "
                    + from.sql()
                    + ") SELECT count(v) FROM x",
                "SELECT "
                    + column
                    + " FROM "
                    + from.sql()
                    + " UNION SELECT "
                    + column
                    + " FROM "
                    + from.sql(),
                "SELECT "
                    + column
                    + " FROM "
                    + from.sql()
                    + " WHERE "
                    + number
                    + " > (SELECT avg(total) FROM orders)",
                "SELECT stddev(" + number + ") FROM " + from.sql(),
                "SELECT q.v FROM (SELECT " + column + " AS v FROM " + from.sql() + " LIMIT 3) q"));
    return new Query(sql, values, List.of());
  }
}
