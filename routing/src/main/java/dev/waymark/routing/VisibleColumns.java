package dev.waymark.routing;

import java.sql.ResultSetMetaData;
import java.sql.SQLException;

/** The columns that were asked for, without those that were added behind them. */
record VisibleColumns(ResultSetMetaData all, int count) implements ResultSetMetaData {
  private int seen(int column) throws SQLException {
    if (column < 1 || column > count) {
      throw new SQLException(
          "The column index is out of range: " + column + ", number of columns: " + count + ".",
          "22023");
    }
    return column;
  }

  @Override
  public int getColumnCount() {
    return count;
  }

  @Override
  public boolean isAutoIncrement(int column) throws SQLException {
    return all.isAutoIncrement(seen(column));
  }

  @Override
  public boolean isCaseSensitive(int column) throws SQLException {
    return all.isCaseSensitive(seen(column));
  }

  @Override
  public boolean isSearchable(int column) throws SQLException {
    return all.isSearchable(seen(column));
  }

  @Override
  public boolean isCurrency(int column) throws SQLException {
    return all.isCurrency(seen(column));
  }

  @Override
  public int isNullable(int column) throws SQLException {
    return all.isNullable(seen(column));
  }

  @Override
  public boolean isSigned(int column) throws SQLException {
    return all.isSigned(seen(column));
  }

  @Override
  public int getColumnDisplaySize(int column) throws SQLException {
    return all.getColumnDisplaySize(seen(column));
  }

  @Override
  public String getColumnLabel(int column) throws SQLException {
    return all.getColumnLabel(seen(column));
  }

  @Override
  public String getColumnName(int column) throws SQLException {
    return all.getColumnName(seen(column));
  }

  @Override
  public String getSchemaName(int column) throws SQLException {
    return all.getSchemaName(seen(column));
  }

  @Override
  public int getPrecision(int column) throws SQLException {
    return all.getPrecision(seen(column));
  }

  @Override
  public int getScale(int column) throws SQLException {
    return all.getScale(seen(column));
  }

  @Override
  public String getTableName(int column) throws SQLException {
    return all.getTableName(seen(column));
  }

  @Override
  public String getCatalogName(int column) throws SQLException {
    return all.getCatalogName(seen(column));
  }

  @Override
  public int getColumnType(int column) throws SQLException {
    return all.getColumnType(seen(column));
  }

  @Override
  public String getColumnTypeName(int column) throws SQLException {
    return all.getColumnTypeName(seen(column));
  }

  @Override
  public boolean isReadOnly(int column) throws SQLException {
    return all.isReadOnly(seen(column));
  }

  @Override
  public boolean isWritable(int column) throws SQLException {
    return all.isWritable(seen(column));
  }

  @Override
  public boolean isDefinitelyWritable(int column) throws SQLException {
    return all.isDefinitelyWritable(seen(column));
  }

  @Override
  public String getColumnClassName(int column) throws SQLException {
    return all.getColumnClassName(seen(column));
  }

  @Override
  public <T> T unwrap(Class<T> type) throws SQLException {
    return type.isInstance(this) ? type.cast(this) : all.unwrap(type);
  }

  @Override
  public boolean isWrapperFor(Class<?> type) throws SQLException {
    return type.isInstance(this) || all.isWrapperFor(type);
  }
}
