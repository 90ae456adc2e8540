package dev.waymark.routing;

import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;

/** What a server said of the columns of a result, kept. An immutable value. */
final class DescribedColumns implements ResultSetMetaData {
  private final List<Described> columns;

  private record Described(
      String label,
      String name,
      String schema,
      String table,
      String catalog,
      int type,
      String typeName,
      String className,
      int precision,
      int scale,
      int displaySize,
      int nullable,
      boolean isAutoIncrement,
      boolean isCaseSensitive,
      boolean isSearchable,
      boolean isCurrency,
      boolean isSigned,
      boolean isReadOnly,
      boolean isWritable,
      boolean isDefinitelyWritable) {}

  private DescribedColumns(List<Described> columns) {
    this.columns = List.copyOf(columns);
  }

  static DescribedColumns of(ResultSetMetaData told) throws SQLException {
    List<Described> columns = new ArrayList<>();
    for (int i = 1; i <= told.getColumnCount(); i++) {
      columns.add(
          new Described(
              told.getColumnLabel(i),
              told.getColumnName(i),
              told.getSchemaName(i),
              told.getTableName(i),
              told.getCatalogName(i),
              told.getColumnType(i),
              told.getColumnTypeName(i),
              told.getColumnClassName(i),
              told.getPrecision(i),
              told.getScale(i),
              told.getColumnDisplaySize(i),
              told.isNullable(i),
              told.isAutoIncrement(i),
              told.isCaseSensitive(i),
              told.isSearchable(i),
              told.isCurrency(i),
              told.isSigned(i),
              told.isReadOnly(i),
              told.isWritable(i),
              told.isDefinitelyWritable(i)));
    }
    return new DescribedColumns(columns);
  }

  private Described at(int column) throws SQLException {
    if (column < 1 || column > columns.size()) {
      throw new SQLException("There is no column " + column + " of " + columns.size(), "22023");
    }
    return columns.get(column - 1);
  }

  @Override
  public int getColumnCount() {
    return columns.size();
  }

  @Override
  public boolean isAutoIncrement(int column) throws SQLException {
    return at(column).isAutoIncrement();
  }

  @Override
  public boolean isCaseSensitive(int column) throws SQLException {
    return at(column).isCaseSensitive();
  }

  @Override
  public boolean isSearchable(int column) throws SQLException {
    return at(column).isSearchable();
  }

  @Override
  public boolean isCurrency(int column) throws SQLException {
    return at(column).isCurrency();
  }

  @Override
  public int isNullable(int column) throws SQLException {
    return at(column).nullable();
  }

  @Override
  public boolean isSigned(int column) throws SQLException {
    return at(column).isSigned();
  }

  @Override
  public int getColumnDisplaySize(int column) throws SQLException {
    return at(column).displaySize();
  }

  @Override
  public String getColumnLabel(int column) throws SQLException {
    return at(column).label();
  }

  @Override
  public String getColumnName(int column) throws SQLException {
    return at(column).name();
  }

  @Override
  public String getSchemaName(int column) throws SQLException {
    return at(column).schema();
  }

  @Override
  public int getPrecision(int column) throws SQLException {
    return at(column).precision();
  }

  @Override
  public int getScale(int column) throws SQLException {
    return at(column).scale();
  }

  @Override
  public String getTableName(int column) throws SQLException {
    return at(column).table();
  }

  @Override
  public String getCatalogName(int column) throws SQLException {
    return at(column).catalog();
  }

  @Override
  public int getColumnType(int column) throws SQLException {
    return at(column).type();
  }

  @Override
  public String getColumnTypeName(int column) throws SQLException {
    return at(column).typeName();
  }

  @Override
  public boolean isReadOnly(int column) throws SQLException {
    return at(column).isReadOnly();
  }

  @Override
  public boolean isWritable(int column) throws SQLException {
    return at(column).isWritable();
  }

  @Override
  public boolean isDefinitelyWritable(int column) throws SQLException {
    return at(column).isDefinitelyWritable();
  }

  @Override
  public String getColumnClassName(int column) throws SQLException {
    return at(column).className();
  }

  @Override
  public <T> T unwrap(Class<T> type) throws SQLException {
    if (type.isInstance(this)) {
      return type.cast(this);
    }
    throw new SQLException("Not a wrapper for " + type.getName());
  }

  @Override
  public boolean isWrapperFor(Class<?> type) {
    return type.isInstance(this);
  }
}
