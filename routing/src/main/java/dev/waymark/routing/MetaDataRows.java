package dev.waymark.routing;

import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import org.jspecify.annotations.Nullable;

/** Rows about the schema that keep their connection until they are closed. For one thread. */
final class MetaDataRows
    implements HeldWork<Boolean, SQLException>, PlacedWork<Boolean, SQLException> {
  private final DelegatingMetaData.Question<ResultSet> question;
  private @Nullable ResultSet rows;
  private @Nullable Lane lane;

  MetaDataRows(DelegatingMetaData.Question<ResultSet> question) {
    this.question = question;
  }

  @Override
  public Boolean run(Connection connection, NodeView node) throws SQLException {
    rows = question.to(connection.getMetaData());
    return true;
  }

  @Override
  public void held(Lane own) {
    own.noDueTime();
    lane = own;
  }

  /** The rows. */
  ResultSet held() {
    return new Held(java.util.Objects.requireNonNull(rows));
  }

  private final class Held extends DelegatingResultSet {
    Held(ResultSet rows) {
      super(rows);
    }

    /** They belong to no statement of the application's. */
    @Override
    public @Nullable Statement getStatement() {
      return null;
    }

    @Override
    public void close() throws SQLException {
      Lane own = lane;
      lane = null;
      if (own != null) {
        try {
          rows().close();
        } finally {
          own.close();
        }
      }
    }
  }
}
