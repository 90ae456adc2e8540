package dev.waymark.routing;

import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import org.jspecify.annotations.Nullable;

/** A result made of several shards' answers, which it holds open until it is closed. */
abstract class MergedRows extends ForwardRows {
  private final ShardAnswers answers;
  private final int hidden;

  /** Of how many rows this is the last one, counting from 1; 0 before the first. */
  private long row;

  private boolean isEnded;

  /**
   * Takes over the answers.
   *
   * @param hidden how many columns at the end are our own
   */
  MergedRows(ShardAnswers answers, int hidden) {
    this.answers = answers;
    this.hidden = hidden;
  }

  /** Goes to the next row, if there is one. */
  abstract boolean step() throws SQLException;

  /** Whether there is a row before the first step. */
  abstract boolean hasRows();

  final ShardAnswers answers() {
    return answers;
  }

  /** Any of the shards' result sets: they agree in columns. */
  private ResultSet any() {
    return answers.get(0).rows();
  }

  private void refuseIfClosed() throws SQLException {
    if (answers.isClosed()) {
      throw new SQLException("This result set is closed", "55000");
    }
  }

  final void refuseUnlessOnRow() throws SQLException {
    refuseIfClosed();
    if (row == 0 || isEnded) {
      throw new SQLException(
          "The result set stands "
              + (isEnded ? "behind its last row" : "before its first row; call next()"),
          "24000");
    }
  }

  @Override
  public final boolean next() throws SQLException {
    refuseIfClosed();
    if (isEnded) {
      return false;
    }
    answers.refuseIfCancelled();
    try {
      if (step()) {
        row++;
        return true;
      }
    } catch (SQLException failure) {
      throw answers.told(failure);
    }
    isEnded = true;
    return false;
  }

  @Override
  public final int getRow() throws SQLException {
    refuseIfClosed();
    return isEnded || row > Integer.MAX_VALUE ? 0 : (int) row;
  }

  @Override
  public final boolean isBeforeFirst() throws SQLException {
    refuseIfClosed();
    return row == 0 && !isEnded && hasRows();
  }

  @Override
  public final boolean isAfterLast() throws SQLException {
    refuseIfClosed();
    return isEnded && row > 0;
  }

  @Override
  public final boolean isFirst() throws SQLException {
    refuseIfClosed();
    return row == 1 && !isEnded;
  }

  @Override
  public final int findColumn(String label) throws SQLException {
    refuseIfClosed();
    int found = any().findColumn(label);
    if (found > any().getMetaData().getColumnCount() - hidden) {
      throw new SQLException(
          "The column name " + label + " was not found in this ResultSet.", "42703");
    }
    return found;
  }

  @Override
  public final ResultSetMetaData getMetaData() throws SQLException {
    refuseIfClosed();
    ResultSetMetaData all = any().getMetaData();
    return hidden == 0 ? all : new VisibleColumns(all, all.getColumnCount() - hidden);
  }

  @Override
  public final void setFetchSize(int rows) throws SQLException {
    refuseIfClosed();
    for (int i = 0; i < answers.size(); i++) {
      answers.get(i).rows().setFetchSize(rows);
    }
  }

  @Override
  public final int getFetchSize() throws SQLException {
    refuseIfClosed();
    return any().getFetchSize();
  }

  @Override
  public final @Nullable Statement getStatement() {
    return null;
  }

  @Override
  public final void close() {
    answers.close();
  }

  @Override
  public final boolean isClosed() {
    return answers.isClosed();
  }

  @Override
  public final <T> T unwrap(Class<T> type) throws SQLException {
    if (type.isInstance(this)) {
      return type.cast(this);
    }
    throw new SQLException(
        "The rows of several shards are not one " + type.getName() + " of the driver", "0A000");
  }

  @Override
  public final boolean isWrapperFor(Class<?> type) {
    return type.isInstance(this);
  }
}
