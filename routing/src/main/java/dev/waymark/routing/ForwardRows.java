package dev.waymark.routing;

import java.io.InputStream;
import java.io.Reader;
import java.math.BigDecimal;
import java.net.URL;
import java.sql.Array;
import java.sql.Blob;
import java.sql.Clob;
import java.sql.Date;
import java.sql.NClob;
import java.sql.Ref;
import java.sql.ResultSet;
import java.sql.RowId;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.sql.SQLType;
import java.sql.SQLWarning;
import java.sql.SQLXML;
import java.sql.Time;
import java.sql.Timestamp;
import java.util.Calendar;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The form of a result whose rows come from several shards: read once, from the first row to the
 * last. Every value is given by a result set of the driver, so that its types and conversions are
 * the driver's own; who comes after says which one. Belongs to one thread.
 */
abstract class ForwardRows implements ResultSet {
  private @Nullable ResultSet lastRead;

  /**
   * The result set that holds a column of the current row, standing on that row.
   *
   * @throws SQLException if there is no current row, or no such column
   */
  abstract ResultSet source(int column) throws SQLException;

  /** The place of a column in its {@link #source}. */
  abstract int place(int column);

  private ResultSet at(int column) throws SQLException {
    ResultSet source = source(column);
    lastRead = source;
    return source;
  }

  static SQLException forwardOnly() {
    return new SQLFeatureNotSupportedException(
        "The rows of several shards are merged as they come, and can only be read forwards",
        "0A000");
  }

  static SQLException readOnly() {
    return new SQLFeatureNotSupportedException(
        "A row of a query over several shards cannot be changed through its result", "0A000");
  }

  @Override
  public final boolean wasNull() throws SQLException {
    if (lastRead == null) {
      throw new SQLException("No column has been read yet", "24000");
    }
    return lastRead.wasNull();
  }

  // ---- by place -----------------------------------------------------------------------------

  @Override
  public final @Nullable String getString(int column) throws SQLException {
    return at(column).getString(place(column));
  }

  @Override
  public final boolean getBoolean(int column) throws SQLException {
    return at(column).getBoolean(place(column));
  }

  @Override
  public final byte getByte(int column) throws SQLException {
    return at(column).getByte(place(column));
  }

  @Override
  public final short getShort(int column) throws SQLException {
    return at(column).getShort(place(column));
  }

  @Override
  public final int getInt(int column) throws SQLException {
    return at(column).getInt(place(column));
  }

  @Override
  public final long getLong(int column) throws SQLException {
    return at(column).getLong(place(column));
  }

  @Override
  public final float getFloat(int column) throws SQLException {
    return at(column).getFloat(place(column));
  }

  @Override
  public final double getDouble(int column) throws SQLException {
    return at(column).getDouble(place(column));
  }

  @Override
  @Deprecated
  public final @Nullable BigDecimal getBigDecimal(int column, int scale) throws SQLException {
    return at(column).getBigDecimal(place(column), scale);
  }

  @Override
  public final byte @Nullable [] getBytes(int column) throws SQLException {
    return at(column).getBytes(place(column));
  }

  @Override
  public final @Nullable Date getDate(int column) throws SQLException {
    return at(column).getDate(place(column));
  }

  @Override
  public final @Nullable Time getTime(int column) throws SQLException {
    return at(column).getTime(place(column));
  }

  @Override
  public final @Nullable Timestamp getTimestamp(int column) throws SQLException {
    return at(column).getTimestamp(place(column));
  }

  @Override
  public final @Nullable InputStream getAsciiStream(int column) throws SQLException {
    return at(column).getAsciiStream(place(column));
  }

  @Override
  @Deprecated
  public final @Nullable InputStream getUnicodeStream(int column) throws SQLException {
    return at(column).getUnicodeStream(place(column));
  }

  @Override
  public final @Nullable InputStream getBinaryStream(int column) throws SQLException {
    return at(column).getBinaryStream(place(column));
  }

  @Override
  public final @Nullable Object getObject(int column) throws SQLException {
    return at(column).getObject(place(column));
  }

  @Override
  public final @Nullable Reader getCharacterStream(int column) throws SQLException {
    return at(column).getCharacterStream(place(column));
  }

  @Override
  public final @Nullable BigDecimal getBigDecimal(int column) throws SQLException {
    return at(column).getBigDecimal(place(column));
  }

  @Override
  public final @Nullable Object getObject(int column, Map<String, Class<?>> types)
      throws SQLException {
    return at(column).getObject(place(column), types);
  }

  @Override
  public final @Nullable Ref getRef(int column) throws SQLException {
    return at(column).getRef(place(column));
  }

  @Override
  public final @Nullable Blob getBlob(int column) throws SQLException {
    return at(column).getBlob(place(column));
  }

  @Override
  public final @Nullable Clob getClob(int column) throws SQLException {
    return at(column).getClob(place(column));
  }

  @Override
  public final @Nullable Array getArray(int column) throws SQLException {
    return at(column).getArray(place(column));
  }

  @Override
  public final @Nullable Date getDate(int column, Calendar calendar) throws SQLException {
    return at(column).getDate(place(column), calendar);
  }

  @Override
  public final @Nullable Time getTime(int column, Calendar calendar) throws SQLException {
    return at(column).getTime(place(column), calendar);
  }

  @Override
  public final @Nullable Timestamp getTimestamp(int column, Calendar calendar) throws SQLException {
    return at(column).getTimestamp(place(column), calendar);
  }

  @Override
  public final @Nullable URL getURL(int column) throws SQLException {
    return at(column).getURL(place(column));
  }

  @Override
  public final @Nullable RowId getRowId(int column) throws SQLException {
    return at(column).getRowId(place(column));
  }

  @Override
  public final @Nullable NClob getNClob(int column) throws SQLException {
    return at(column).getNClob(place(column));
  }

  @Override
  public final @Nullable SQLXML getSQLXML(int column) throws SQLException {
    return at(column).getSQLXML(place(column));
  }

  @Override
  public final @Nullable String getNString(int column) throws SQLException {
    return at(column).getNString(place(column));
  }

  @Override
  public final @Nullable Reader getNCharacterStream(int column) throws SQLException {
    return at(column).getNCharacterStream(place(column));
  }

  @Override
  public final <T> @Nullable T getObject(int column, Class<T> type) throws SQLException {
    return at(column).getObject(place(column), type);
  }

  // ---- by label -----------------------------------------------------------------------------

  @Override
  public final @Nullable String getString(String label) throws SQLException {
    return getString(findColumn(label));
  }

  @Override
  public final boolean getBoolean(String label) throws SQLException {
    return getBoolean(findColumn(label));
  }

  @Override
  public final byte getByte(String label) throws SQLException {
    return getByte(findColumn(label));
  }

  @Override
  public final short getShort(String label) throws SQLException {
    return getShort(findColumn(label));
  }

  @Override
  public final int getInt(String label) throws SQLException {
    return getInt(findColumn(label));
  }

  @Override
  public final long getLong(String label) throws SQLException {
    return getLong(findColumn(label));
  }

  @Override
  public final float getFloat(String label) throws SQLException {
    return getFloat(findColumn(label));
  }

  @Override
  public final double getDouble(String label) throws SQLException {
    return getDouble(findColumn(label));
  }

  @Override
  @Deprecated
  public final @Nullable BigDecimal getBigDecimal(String label, int scale) throws SQLException {
    return getBigDecimal(findColumn(label), scale);
  }

  @Override
  public final byte @Nullable [] getBytes(String label) throws SQLException {
    return getBytes(findColumn(label));
  }

  @Override
  public final @Nullable Date getDate(String label) throws SQLException {
    return getDate(findColumn(label));
  }

  @Override
  public final @Nullable Time getTime(String label) throws SQLException {
    return getTime(findColumn(label));
  }

  @Override
  public final @Nullable Timestamp getTimestamp(String label) throws SQLException {
    return getTimestamp(findColumn(label));
  }

  @Override
  public final @Nullable InputStream getAsciiStream(String label) throws SQLException {
    return getAsciiStream(findColumn(label));
  }

  @Override
  @Deprecated
  public final @Nullable InputStream getUnicodeStream(String label) throws SQLException {
    return getUnicodeStream(findColumn(label));
  }

  @Override
  public final @Nullable InputStream getBinaryStream(String label) throws SQLException {
    return getBinaryStream(findColumn(label));
  }

  @Override
  public final @Nullable Object getObject(String label) throws SQLException {
    return getObject(findColumn(label));
  }

  @Override
  public final @Nullable Reader getCharacterStream(String label) throws SQLException {
    return getCharacterStream(findColumn(label));
  }

  @Override
  public final @Nullable BigDecimal getBigDecimal(String label) throws SQLException {
    return getBigDecimal(findColumn(label));
  }

  @Override
  public final @Nullable Object getObject(String label, Map<String, Class<?>> types)
      throws SQLException {
    return getObject(findColumn(label), types);
  }

  @Override
  public final @Nullable Ref getRef(String label) throws SQLException {
    return getRef(findColumn(label));
  }

  @Override
  public final @Nullable Blob getBlob(String label) throws SQLException {
    return getBlob(findColumn(label));
  }

  @Override
  public final @Nullable Clob getClob(String label) throws SQLException {
    return getClob(findColumn(label));
  }

  @Override
  public final @Nullable Array getArray(String label) throws SQLException {
    return getArray(findColumn(label));
  }

  @Override
  public final @Nullable Date getDate(String label, Calendar calendar) throws SQLException {
    return getDate(findColumn(label), calendar);
  }

  @Override
  public final @Nullable Time getTime(String label, Calendar calendar) throws SQLException {
    return getTime(findColumn(label), calendar);
  }

  @Override
  public final @Nullable Timestamp getTimestamp(String label, Calendar calendar)
      throws SQLException {
    return getTimestamp(findColumn(label), calendar);
  }

  @Override
  public final @Nullable URL getURL(String label) throws SQLException {
    return getURL(findColumn(label));
  }

  @Override
  public final @Nullable RowId getRowId(String label) throws SQLException {
    return getRowId(findColumn(label));
  }

  @Override
  public final @Nullable NClob getNClob(String label) throws SQLException {
    return getNClob(findColumn(label));
  }

  @Override
  public final @Nullable SQLXML getSQLXML(String label) throws SQLException {
    return getSQLXML(findColumn(label));
  }

  @Override
  public final @Nullable String getNString(String label) throws SQLException {
    return getNString(findColumn(label));
  }

  @Override
  public final @Nullable Reader getNCharacterStream(String label) throws SQLException {
    return getNCharacterStream(findColumn(label));
  }

  @Override
  public final <T> @Nullable T getObject(String label, Class<T> type) throws SQLException {
    return getObject(findColumn(label), type);
  }

  // ---- moving -------------------------------------------------------------------------------

  @Override
  public final void beforeFirst() throws SQLException {
    throw forwardOnly();
  }

  @Override
  public final void afterLast() throws SQLException {
    throw forwardOnly();
  }

  @Override
  public final boolean first() throws SQLException {
    throw forwardOnly();
  }

  @Override
  public final boolean last() throws SQLException {
    throw forwardOnly();
  }

  @Override
  public final boolean isLast() throws SQLException {
    throw forwardOnly();
  }

  @Override
  public final boolean absolute(int row) throws SQLException {
    throw forwardOnly();
  }

  @Override
  public final boolean relative(int rows) throws SQLException {
    throw forwardOnly();
  }

  @Override
  public final boolean previous() throws SQLException {
    throw forwardOnly();
  }

  @Override
  public final int getFetchDirection() {
    return FETCH_FORWARD;
  }

  @Override
  public final void setFetchDirection(int direction) throws SQLException {
    if (direction != FETCH_FORWARD) {
      throw forwardOnly();
    }
  }

  @Override
  public final int getType() {
    return TYPE_FORWARD_ONLY;
  }

  @Override
  public final int getConcurrency() {
    return CONCUR_READ_ONLY;
  }

  @Override
  public final int getHoldability() {
    return CLOSE_CURSORS_AT_COMMIT;
  }

  @Override
  public final String getCursorName() throws SQLException {
    throw new SQLFeatureNotSupportedException(
        "The rows of several shards have no cursor of one name", "0A000");
  }

  @Override
  public final @Nullable SQLWarning getWarnings() {
    return null;
  }

  @Override
  public final void clearWarnings() {
    // There are none.
  }

  // ---- changing -----------------------------------------------------------------------------

  @Override
  public final void insertRow() throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateRow() throws SQLException {
    throw readOnly();
  }

  @Override
  public final void deleteRow() throws SQLException {
    throw readOnly();
  }

  @Override
  public final void refreshRow() throws SQLException {
    throw readOnly();
  }

  @Override
  public final void cancelRowUpdates() throws SQLException {
    throw readOnly();
  }

  @Override
  public final void moveToInsertRow() throws SQLException {
    throw readOnly();
  }

  @Override
  public final void moveToCurrentRow() throws SQLException {
    throw readOnly();
  }

  @Override
  public final boolean rowUpdated() {
    return false;
  }

  @Override
  public final boolean rowInserted() {
    return false;
  }

  @Override
  public final boolean rowDeleted() {
    return false;
  }

  @Override
  public final void updateNull(int column) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateBoolean(int column, boolean value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateByte(int column, byte value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateShort(int column, short value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateInt(int column, int value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateLong(int column, long value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateFloat(int column, float value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateDouble(int column, double value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateBigDecimal(int column, @Nullable BigDecimal value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateString(int column, @Nullable String value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateBytes(int column, byte @Nullable [] value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateDate(int column, @Nullable Date value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateTime(int column, @Nullable Time value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateTimestamp(int column, @Nullable Timestamp value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateAsciiStream(int column, @Nullable InputStream value, int length)
      throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateBinaryStream(int column, @Nullable InputStream value, int length)
      throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateCharacterStream(int column, @Nullable Reader value, int length)
      throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateObject(int column, @Nullable Object value, int scale)
      throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateObject(int column, @Nullable Object value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateNull(String label) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateBoolean(String label, boolean value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateByte(String label, byte value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateShort(String label, short value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateInt(String label, int value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateLong(String label, long value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateFloat(String label, float value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateDouble(String label, double value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateBigDecimal(String label, @Nullable BigDecimal value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateString(String label, @Nullable String value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateBytes(String label, byte @Nullable [] value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateDate(String label, @Nullable Date value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateTime(String label, @Nullable Time value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateTimestamp(String label, @Nullable Timestamp value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateAsciiStream(String label, @Nullable InputStream value, int length)
      throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateBinaryStream(String label, @Nullable InputStream value, int length)
      throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateCharacterStream(String label, @Nullable Reader value, int length)
      throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateObject(String label, @Nullable Object value, int scale)
      throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateObject(String label, @Nullable Object value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateRef(int column, @Nullable Ref value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateRef(String label, @Nullable Ref value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateBlob(int column, @Nullable Blob value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateBlob(String label, @Nullable Blob value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateClob(int column, @Nullable Clob value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateClob(String label, @Nullable Clob value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateArray(int column, @Nullable Array value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateArray(String label, @Nullable Array value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateRowId(int column, @Nullable RowId value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateRowId(String label, @Nullable RowId value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateNString(int column, @Nullable String value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateNString(String label, @Nullable String value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateNClob(int column, @Nullable NClob value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateNClob(String label, @Nullable NClob value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateSQLXML(int column, @Nullable SQLXML value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateSQLXML(String label, @Nullable SQLXML value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateNCharacterStream(int column, @Nullable Reader value, long length)
      throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateNCharacterStream(String label, @Nullable Reader value, long length)
      throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateAsciiStream(int column, @Nullable InputStream value, long length)
      throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateBinaryStream(int column, @Nullable InputStream value, long length)
      throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateCharacterStream(int column, @Nullable Reader value, long length)
      throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateAsciiStream(String label, @Nullable InputStream value, long length)
      throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateBinaryStream(String label, @Nullable InputStream value, long length)
      throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateCharacterStream(String label, @Nullable Reader value, long length)
      throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateBlob(int column, @Nullable InputStream value, long length)
      throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateBlob(String label, @Nullable InputStream value, long length)
      throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateClob(int column, @Nullable Reader value, long length)
      throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateClob(String label, @Nullable Reader value, long length)
      throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateNClob(int column, @Nullable Reader value, long length)
      throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateNClob(String label, @Nullable Reader value, long length)
      throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateNCharacterStream(int column, @Nullable Reader value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateNCharacterStream(String label, @Nullable Reader value)
      throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateAsciiStream(int column, @Nullable InputStream value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateBinaryStream(int column, @Nullable InputStream value)
      throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateCharacterStream(int column, @Nullable Reader value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateAsciiStream(String label, @Nullable InputStream value)
      throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateBinaryStream(String label, @Nullable InputStream value)
      throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateCharacterStream(String label, @Nullable Reader value)
      throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateBlob(int column, @Nullable InputStream value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateBlob(String label, @Nullable InputStream value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateClob(int column, @Nullable Reader value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateClob(String label, @Nullable Reader value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateNClob(int column, @Nullable Reader value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateNClob(String label, @Nullable Reader value) throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateObject(int column, @Nullable Object value, SQLType type, int scale)
      throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateObject(String label, @Nullable Object value, SQLType type, int scale)
      throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateObject(int column, @Nullable Object value, SQLType type)
      throws SQLException {
    throw readOnly();
  }

  @Override
  public final void updateObject(String label, @Nullable Object value, SQLType type)
      throws SQLException {
    throw readOnly();
  }
}
