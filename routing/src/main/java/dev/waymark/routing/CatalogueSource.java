package dev.waymark.routing;

import dev.waymark.Consistency;
import dev.waymark.UnavailableException;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;

/** Reads every shard's catalogue: of its primary, or of a replica while there is none. */
final class CatalogueSource implements SqlCatalogueKeeper.Source {
  private final ShardedDatabase database;
  private final SqlCatalogueLoader loader = new SqlCatalogueLoader();

  CatalogueSource(ShardedDatabase database) {
    this.database = database;
  }

  @Override
  public List<SqlCatalogue> load() throws SQLException {
    List<SqlCatalogue> catalogues = new ArrayList<>();
    for (LiveShard shard : database.shards()) {
      // Without a primary a replica's will do: nobody changes the schema meanwhile, and reads go
      // on.
      Consistency consistency =
          shard.view().primary() == null ? Consistency.eventual() : Consistency.strong();
      try {
        catalogues.add(
            database
                .reads()
                .<SqlCatalogue, SQLException>readOnce(shard, consistency, null, loader::load));
      } catch (UnavailableException unreachable) {
        throw new SQLException(unreachable.getMessage(), "08001", unreachable);
      }
    }
    return catalogues;
  }
}
