package dev.waymark.routing;

import dev.waymark.routing.SqlCatalogue.FunctionRow;
import dev.waymark.routing.SqlCatalogue.RelationRow;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What a server brings along, the same for all servers of a major version: thousands of functions,
 * and views whose queries the server has to print. The statements that a service begins with need
 * none of it, so it can also be unread: then a question that it has no answer to throws, and
 * whoever plans reads it and asks anew. An immutable value, safe to share.
 */
final class BuiltIns {
  private final String majorVersion;

  /** Null if unread. */
  private final @Nullable Names names;

  /** By schema, then by name, as far as that tells anything. */
  private record Names(
      Map<String, Map<String, RelationRow>> relations,
      Map<String, List<FunctionRow>> functions,
      Set<String> volatileFieldNames,
      Set<String> operators) {}

  /** What is asked for has not been read. */
  static final class UnreadException extends RuntimeException {
    private static final long serialVersionUID = 1;

    private UnreadException(String what) {
      super(what + " may be something that the server brings along, which has not been read");
    }
  }

  private BuiltIns(String majorVersion, @Nullable Names names) {
    this.majorVersion = majorVersion;
    this.names = names;
  }

  /** Those of servers that have none, or are not known. */
  static BuiltIns none() {
    return of("", List.of(), List.of(), Set.of());
  }

  /** Those of a version, which have not been read. */
  static BuiltIns unread(String majorVersion) {
    return new BuiltIns(majorVersion, null);
  }

  /**
   * Those of a version.
   *
   * @param relations without those of {@code pg_catalog} whose names do not begin with {@code pg_}:
   *     they count as made by users, so that a table's name says that it is none of the server's
   * @param operators the names of all
   */
  static BuiltIns of(
      String majorVersion,
      List<RelationRow> relations,
      List<FunctionRow> functions,
      Set<String> operators) {
    Map<String, Map<String, RelationRow>> bySchema = new HashMap<>();
    for (RelationRow row : relations) {
      bySchema.computeIfAbsent(row.schema(), schema -> new HashMap<>()).put(row.name(), row);
    }
    Map<String, List<FunctionRow>> byName = new HashMap<>();
    for (FunctionRow row : functions) {
      byName.computeIfAbsent(row.name(), name -> new ArrayList<>()).add(row);
    }
    return new BuiltIns(
        majorVersion,
        new Names(
            bySchema, byName, SqlCatalogue.volatileFieldNames(functions), Set.copyOf(operators)));
  }

  String majorVersion() {
    return majorVersion;
  }

  boolean areRead() {
    return names != null;
  }

  /**
   * A relation, null if there is none.
   *
   * @throws UnreadException if it may be there
   */
  @Nullable RelationRow relation(String schema, String name) {
    boolean mayBe =
        switch (schema) {
          case "pg_catalog" -> name.startsWith("pg_");
          case "information_schema", "pg_toast" -> true;
          default -> false;
        };
    return mayBe ? read(name).relations().getOrDefault(schema, Map.of()).get(name) : null;
  }

  /** All functions of a name; throws as {@link #relation} does. */
  List<FunctionRow> functions(String name) {
    return read(name).functions().getOrDefault(name, List.of());
  }

  /** Whether {@code x.name} may call a volatile function; throws as {@link #relation} does. */
  boolean isVolatileField(String name) {
    return read(name).volatileFieldNames().contains(name);
  }

  /** Whether there is an operator of a name; throws as {@link #relation} does. */
  boolean hasOperator(String name) {
    return read(name).operators().contains(name);
  }

  private Names read(String what) {
    if (names == null) {
      throw new UnreadException(what);
    }
    return names;
  }

  /** Without those that are named by numbers, which differ from server to server. */
  private static Map<String, Map<String, RelationRow>> named(
      Map<String, Map<String, RelationRow>> relations) {
    Map<String, Map<String, RelationRow>> named = new HashMap<>(relations);
    named.remove("pg_toast");
    return named;
  }

  /** Whether another shard's hold the same. */
  boolean areLike(BuiltIns other) {
    return this == other
        || majorVersion.equals(other.majorVersion)
        || names != null
            && other.names != null
            && named(names.relations()).equals(named(other.names.relations()))
            && names.operators().equals(other.names.operators())
            && SqlCatalogue.areLike(names.functions(), other.names.functions());
  }
}
