package dev.waymark.routing;

import dev.waymark.Consistency;
import dev.waymark.UnavailableException;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.LongSupplier;

/**
 * Reads the shards' catalogues: of the primary, or of a replica while there is none, which may not
 * know the latest change yet. A shard that has no node at all is left out: nothing runs there, and
 * the others must not wait for it.
 */
final class CatalogueSource implements SqlCatalogueKeeper.Source {
  private final ShardedDatabase database;
  private final LongSupplier nanoClock;
  private final SqlCatalogueLoader loader = new SqlCatalogueLoader();

  CatalogueSource(ShardedDatabase database, LongSupplier nanoClock) {
    this.database = database;
    this.nanoClock = nanoClock;
  }

  @Override
  public SqlCatalogueKeeper.Reading load() throws SQLException {
    List<LiveShard> up = database.shards().stream().filter(CatalogueSource::isUp).toList();
    if (up.isEmpty()) {
      // Perhaps for a moment only: this waits for them.
      up = database.shards();
    }
    boolean isOfAll = database.shards().stream().allMatch(shard -> shard.view().primary() != null);
    List<SqlCatalogue> catalogues = on(up, loader::loadMade);
    String version = catalogues.get(0).builtIns().majorVersion();
    // What servers of two versions bring along has to be compared, and so to be known.
    if (!catalogues.stream().allMatch(each -> each.builtIns().majorVersion().equals(version))) {
      catalogues = on(up, loader::load);
    }
    return new SqlCatalogueKeeper.Reading(catalogues, isOfAll);
  }

  private static boolean isUp(LiveShard shard) {
    return shard.view().nodes().stream().anyMatch(NodeView::isUp);
  }

  @Override
  public BuiltIns loadBuiltIns() throws SQLException {
    SQLException failure = null;
    long began = nanoClock.getAsLong();
    // Any node tells it: a shard or primary that is down keeps no statement for another waiting.
    // After one deadline no other shard is begun with.
    for (LiveShard shard : upFirst()) {
      try {
        return on(shard, Consistency.eventual(), loader::loadBuiltIns);
      } catch (SQLException unreadable) {
        if (failure != null) {
          unreadable.addSuppressed(failure);
        }
        failure = unreadable;
      }
      if (Thread.currentThread().isInterrupted()
          || nanoClock.getAsLong() - began >= database.reads().deadlineNanos()) {
        break;
      }
    }
    throw Objects.requireNonNull(failure, "a database has shards");
  }

  private List<LiveShard> upFirst() {
    List<LiveShard> shards = new ArrayList<>();
    database.shards().stream().filter(each -> each.view().primary() != null).forEach(shards::add);
    database.shards().stream().filter(each -> !shards.contains(each)).forEach(shards::add);
    return shards;
  }

  private List<SqlCatalogue> on(List<LiveShard> shards, Work<SqlCatalogue, SQLException> reading)
      throws SQLException {
    List<SqlCatalogue> catalogues = new ArrayList<>();
    for (LiveShard shard : shards) {
      // Without a primary a replica's will do: nobody changes the schema meanwhile, and reads go
      // on.
      Consistency consistency =
          shard.view().primary() == null ? Consistency.eventual() : Consistency.strong();
      catalogues.add(on(shard, consistency, reading));
    }
    return catalogues;
  }

  private <T> T on(LiveShard shard, Consistency consistency, Work<T, SQLException> reading)
      throws SQLException {
    try {
      return database.reads().<T, SQLException>readOnce(shard, consistency, null, reading);
    } catch (UnavailableException unreachable) {
      throw new SQLException(unreachable.getMessage(), "08001", unreachable);
    }
  }
}
