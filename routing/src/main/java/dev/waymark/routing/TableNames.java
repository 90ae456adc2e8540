package dev.waymark.routing;

import dev.waymark.Table;
import dev.waymark.routing.SqlCatalogue.RelationKind;
import dev.waymark.routing.SqlCatalogue.RelationRow;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What a name in a statement stands for: tables of the shard map, or others. A pure function of map
 * and catalogue; safe to share.
 */
final class TableNames {
  private static final Set<String> SYSTEM = Set.of("pg_catalog", "information_schema");

  /** What a name stands for. */
  sealed interface Meaning {
    /** A table whose rows live with their key. */
    record Sharded(Table.Sharded table) implements Meaning {}

    /** A table that every shard holds whole. */
    record Broadcast(String name) implements Meaning {}

    /** What a server tells of itself: it is there on every shard, and differs. */
    record System() implements Meaning {}

    /** A query with a name. */
    record View(String name) implements Meaning {}

    /** Nothing that is known. */
    record Unknown(String name) implements Meaning {}
  }

  /** By what the map calls them, folded as SQL folds a name without quotes. */
  private final Map<String, Table> tables = new HashMap<>();

  private final SqlCatalogue catalogue;

  TableNames(Map<String, Table> tables, SqlCatalogue catalogue) {
    tables.forEach((name, table) -> this.tables.put(name.toLowerCase(Locale.ROOT), table));
    this.catalogue = catalogue;
  }

  /** What a name, qualified or not, stands for. */
  Meaning of(List<String> name) {
    String last = name.get(name.size() - 1);
    RelationRow row = catalogue.relation(name);
    Meaning unknown = new Meaning.Unknown(String.join(".", name));
    if (row == null) {
      if (catalogue.version() != 0) {
        return unknown;
      }
      // Without a catalogue the map's own names are taken as they are, and nothing else is.
      if (name.size() == 2 && SYSTEM.contains(name.get(0))) {
        return new Meaning.System();
      }
      Table table = tables.get(String.join(".", name));
      return table != null ? ofTable(table) : unknown;
    }
    if (SYSTEM.contains(row.schema())) {
      return new Meaning.System();
    } else if (row.kind() == RelationKind.VIEW) {
      return new Meaning.View(last);
    } else if (row.kind() != RelationKind.STORED && row.kind() != RelationKind.UNLOGGED) {
      return unknown;
    }
    Table table = tables.get(row.schema() + "." + row.name());
    if (table != null) {
      return ofTable(table);
    }
    // The map's table is the one that its bare name finds, and no namesake in another schema.
    table = tables.get(last);
    return table != null && isFoundByItself(row) ? ofTable(table) : unknown;
  }

  /** Asks for the very same row, not an equal one: two schemas may hold tables alike. */
  @SuppressWarnings("ReferenceEquality")
  private boolean isFoundByItself(RelationRow row) {
    return row == catalogue.relation(List.of(row.name()));
  }

  /** The columns of each table of the map, without those of which none are known. */
  Map<String, List<String>> columns() {
    Map<String, List<String>> all = new HashMap<>();
    for (String table : tables.keySet()) {
      List<String> known = columns(List.of(table.split("\\.", -1)));
      if (known != null) {
        all.put(table, known);
      }
    }
    return all;
  }

  /** The columns of a table in their order, null if they are not known. */
  @Nullable List<String> columns(List<String> name) {
    return catalogue.columns(name);
  }

  private static Meaning ofTable(Table table) {
    return table instanceof Table.Sharded sharded
        ? new Meaning.Sharded(sharded)
        : new Meaning.Broadcast(table.name());
  }
}
