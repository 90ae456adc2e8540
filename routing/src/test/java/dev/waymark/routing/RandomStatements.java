package dev.waymark.routing;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * Statements over users, orders, payments and countries, of which about half are confined to a few
 * keys, and many almost are. Each is valid SQL, or refused by the server for an ambiguous name.
 */
final class RandomStatements {
  private final Random random;
  private int aliases;

  RandomStatements(long seed) {
    this.random = new Random(seed);
  }

  /** A table with the columns that conditions use. */
  private record Table(String name, String key, List<String> columns) {}

  /** A table in FROM. */
  private record Use(Table table, String alias) {
    String key() {
      return alias + "." + table.key();
    }
  }

  private static final List<Table> TABLES =
      List.of(
          new Table("users", "id", List.of("id", "name", "country")),
          new Table("orders", "user_id", List.of("id", "user_id", "total")),
          new Table("payments", "user_id", List.of("id", "user_id", "amount")),
          new Table("countries", "code", List.of("code", "name")));

  String query() {
    return query(List.of(), 2);
  }

  private boolean chance(int percent) {
    return random.nextInt(100) < percent;
  }

  private <T> T any(List<T> some) {
    return some.get(random.nextInt(some.size()));
  }

  private String query(List<Use> outer, int depth) {
    if (depth > 0 && chance(8)) {
      return body(outer, depth - 1, "id")
          + any(List.of(" UNION ", " UNION ALL ", " INTERSECT ", " EXCEPT "))
          + body(outer, depth - 1, "id");
    }
    if (depth > 0 && chance(8)) {
      return "WITH c AS (" + body(outer, depth - 1, "id") + ") SELECT * FROM c";
    }
    return body(outer, depth, null);
  }

  private String body(List<Use> outer, int depth, String only) {
    List<Use> uses = new ArrayList<>();
    String from = from(uses, outer, depth);
    List<Use> seen = new ArrayList<>(uses);
    seen.addAll(outer);
    StringBuilder sql = new StringBuilder("SELECT ");
    Use first = uses.get(0);
    boolean totals = only == null && chance(15);
    if (only != null) {
      sql.append(first.key()).append("::text AS k");
    } else if (totals) {
      sql.append("count(*), sum(length(")
          .append(first.alias())
          .append("::text)), min(")
          .append(first.key())
          .append("), max(")
          .append(first.key())
          .append(")");
    } else {
      List<String> items = new ArrayList<>();
      for (Use use : uses) {
        items.add(use.alias() + "." + any(use.table().columns()));
      }
      if (depth > 0 && chance(15)) {
        items.add("(SELECT count(*) FROM " + subquery(seen, depth - 1) + ")");
      }
      if (chance(5)) {
        items.add("row_number() OVER (ORDER BY " + first.key() + ")");
      }
      sql.append(chance(6) ? "DISTINCT " : "").append(String.join(", ", items));
    }
    sql.append(" FROM ").append(from);
    if (chance(90)) {
      sql.append(" WHERE ").append(condition(seen, uses, depth, 2));
    }
    return sql.toString();
  }

  /** What stands behind FROM of a subquery that is counted. */
  private String subquery(List<Use> outer, int depth) {
    List<Use> uses = new ArrayList<>();
    String from = from(uses, outer, depth);
    List<Use> seen = new ArrayList<>(uses);
    seen.addAll(outer);
    return from + " WHERE " + condition(seen, uses, depth, 1);
  }

  private String from(List<Use> uses, List<Use> outer, int depth) {
    String from = source(uses, outer, depth);
    int more = random.nextInt(3);
    for (int i = 0; i < more; i++) {
      if (chance(15)) {
        from += ", " + source(uses, outer, depth);
        continue;
      }
      String type =
          any(
              List.of(
                  "JOIN",
                  "JOIN",
                  "LEFT JOIN",
                  "LEFT JOIN",
                  "RIGHT JOIN",
                  "FULL JOIN",
                  "CROSS JOIN"));
      List<Use> right = new ArrayList<>();
      String other = source(right, outer, depth);
      List<Use> both = new ArrayList<>(uses);
      both.addAll(right);
      if (type.equals("CROSS JOIN")) {
        from += " " + type + " " + other;
      } else {
        // A full join needs a condition that can be merged or hashed.
        String on = type.equals("FULL JOIN") ? equation(right, uses) : join(both, right, uses);
        from += " " + type + " " + other + " ON " + on;
      }
      uses.addAll(right);
    }
    return from;
  }

  private String equation(List<Use> right, List<Use> left) {
    return any(right).key() + "::text = " + any(left).key() + "::text";
  }

  private String join(List<Use> both, List<Use> right, List<Use> left) {
    List<String> parts = new ArrayList<>();
    if (chance(75)) {
      Use one = any(right);
      Use other = any(left);
      if (isSharded(one) && isSharded(other)) {
        parts.add(chance(85) ? one.key() + " = " + other.key() : one.key() + " <= " + other.key());
      }
    }
    if (chance(25)) {
      parts.add(leaf(both, both));
    }
    return parts.isEmpty() ? "true" : String.join(chance(90) ? " AND " : " OR ", parts);
  }

  private static boolean isSharded(Use use) {
    return !use.table().name().equals("countries");
  }

  private String source(List<Use> uses, List<Use> outer, int depth) {
    Use use = new Use(any(TABLES), "t" + aliases++);
    uses.add(use);
    if (depth > 0 && chance(10)) {
      // A query in FROM, with all the columns that others may use.
      List<Use> inside = List.of(new Use(use.table(), "i" + aliases++));
      return "(SELECT * FROM "
          + use.table().name()
          + " "
          + inside.get(0).alias()
          + " WHERE "
          + condition(inside, inside, depth - 1, 1)
          + ") "
          + use.alias();
    }
    return use.table().name() + " " + use.alias();
  }

  private String condition(List<Use> seen, List<Use> own, int depth, int nesting) {
    List<String> parts = new ArrayList<>();
    int count = 1 + random.nextInt(3);
    for (int i = 0; i < count; i++) {
      if (nesting > 0 && chance(15)) {
        parts.add("(" + condition(seen, own, depth, nesting - 1) + ")");
      } else if (depth > 0 && chance(12)) {
        parts.add(
            (chance(30) ? "NOT " : "")
                + "EXISTS (SELECT 1 FROM "
                + subquery(seen, depth - 1)
                + ")");
      } else {
        parts.add(leaf(seen, own));
      }
    }
    // Often every table of its own is tied to a key, so that many statements are confined.
    if (chance(60)) {
      for (Use use : own) {
        if (isSharded(use) && chance(80)) {
          parts.add(use.key() + tie());
        }
      }
    }
    return String.join(chance(85) ? " AND " : " OR ", parts);
  }

  private String tie() {
    return switch (random.nextInt(6)) {
      case 0 -> " IN (" + key() + ", " + key() + ")";
      case 1 -> " BETWEEN 1 AND 3";
      case 2 -> " = '" + key() + "'";
      case 3 -> " = " + key() + "::bigint";
      default -> " = " + key();
    };
  }

  private int key() {
    return 1 + random.nextInt(3);
  }

  private String leaf(List<Use> seen, List<Use> own) {
    Use use = any(chance(80) ? own : seen);
    Use other = any(seen);
    if (!isSharded(use)) {
      return use.alias() + ".code " + any(List.of("=", "<", "<>")) + " 'b'";
    }
    return switch (random.nextInt(12)) {
      case 0 -> "NOT " + use.key() + " = " + key();
      case 1 -> use.key() + " <> " + key();
      case 2 -> use.key() + " + 0 = " + key();
      case 3 -> use.key() + " IS NULL";
      case 4 -> "coalesce(" + use.key() + ", 1) = " + key();
      case 5 -> "(" + use.key() + " = " + key() + ") IS NOT TRUE";
      case 6 -> isSharded(other) ? use.key() + " = " + other.key() : "true";
      case 7 -> "(" + use.key() + " = " + key() + " OR " + use.key() + " = " + key() + ")";
      case 8 -> "(" + use.key() + " = " + key() + " OR true)";
      case 9 -> isSharded(other) ? use.key() + " < " + other.key() : "false OR true";
      default -> use.key() + tie();
    };
  }
}
