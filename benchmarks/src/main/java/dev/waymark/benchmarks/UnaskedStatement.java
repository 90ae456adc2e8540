package dev.waymark.benchmarks;

import java.io.InputStream;
import java.io.Reader;
import java.math.BigDecimal;
import java.net.URL;
import java.sql.Array;
import java.sql.Blob;
import java.sql.Clob;
import java.sql.Connection;
import java.sql.Date;
import java.sql.NClob;
import java.sql.ParameterMetaData;
import java.sql.PreparedStatement;
import java.sql.Ref;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.RowId;
import java.sql.SQLWarning;
import java.sql.SQLXML;
import java.sql.Time;
import java.sql.Timestamp;
import java.util.Calendar;
import org.jspecify.annotations.NullUnmarked;

/** Refuses everything, so that the stub's own statement need only say what it answers. */
@NullUnmarked // A statement may be asked for and may return null almost anywhere.
@SuppressWarnings("deprecation") // The interface has methods that it deprecates.
abstract class UnaskedStatement implements PreparedStatement {

  private static UnsupportedOperationException unasked() {
    return new UnsupportedOperationException("No contender was expected to ask for this");
  }

  @Override
  public void addBatch() {
    throw unasked();
  }

  @Override
  public void addBatch(String p1) {
    throw unasked();
  }

  @Override
  public void cancel() {
    throw unasked();
  }

  @Override
  public void clearBatch() {
    throw unasked();
  }

  @Override
  public void clearParameters() {
    throw unasked();
  }

  @Override
  public void clearWarnings() {
    throw unasked();
  }

  @Override
  public void close() {
    throw unasked();
  }

  @Override
  public void closeOnCompletion() {
    throw unasked();
  }

  @Override
  public boolean execute() {
    throw unasked();
  }

  @Override
  public boolean execute(String p1) {
    throw unasked();
  }

  @Override
  public boolean execute(String p1, int p2) {
    throw unasked();
  }

  @Override
  public boolean execute(String p1, int[] p2) {
    throw unasked();
  }

  @Override
  public boolean execute(String p1, String[] p2) {
    throw unasked();
  }

  @Override
  public int[] executeBatch() {
    throw unasked();
  }

  @Override
  public ResultSet executeQuery() {
    throw unasked();
  }

  @Override
  public ResultSet executeQuery(String p1) {
    throw unasked();
  }

  @Override
  public int executeUpdate() {
    throw unasked();
  }

  @Override
  public int executeUpdate(String p1) {
    throw unasked();
  }

  @Override
  public int executeUpdate(String p1, int p2) {
    throw unasked();
  }

  @Override
  public int executeUpdate(String p1, int[] p2) {
    throw unasked();
  }

  @Override
  public int executeUpdate(String p1, String[] p2) {
    throw unasked();
  }

  @Override
  public Connection getConnection() {
    throw unasked();
  }

  @Override
  public int getFetchDirection() {
    throw unasked();
  }

  @Override
  public int getFetchSize() {
    throw unasked();
  }

  @Override
  public ResultSet getGeneratedKeys() {
    throw unasked();
  }

  @Override
  public int getMaxFieldSize() {
    throw unasked();
  }

  @Override
  public int getMaxRows() {
    throw unasked();
  }

  @Override
  public ResultSetMetaData getMetaData() {
    throw unasked();
  }

  @Override
  public boolean getMoreResults() {
    throw unasked();
  }

  @Override
  public boolean getMoreResults(int p1) {
    throw unasked();
  }

  @Override
  public ParameterMetaData getParameterMetaData() {
    throw unasked();
  }

  @Override
  public int getQueryTimeout() {
    throw unasked();
  }

  @Override
  public ResultSet getResultSet() {
    throw unasked();
  }

  @Override
  public int getResultSetConcurrency() {
    throw unasked();
  }

  @Override
  public int getResultSetHoldability() {
    throw unasked();
  }

  @Override
  public int getResultSetType() {
    throw unasked();
  }

  @Override
  public int getUpdateCount() {
    throw unasked();
  }

  @Override
  public SQLWarning getWarnings() {
    throw unasked();
  }

  @Override
  public boolean isCloseOnCompletion() {
    throw unasked();
  }

  @Override
  public boolean isClosed() {
    throw unasked();
  }

  @Override
  public boolean isPoolable() {
    throw unasked();
  }

  @Override
  public void setArray(int p1, Array p2) {
    throw unasked();
  }

  @Override
  public void setAsciiStream(int p1, InputStream p2) {
    throw unasked();
  }

  @Override
  public void setAsciiStream(int p1, InputStream p2, int p3) {
    throw unasked();
  }

  @Override
  public void setAsciiStream(int p1, InputStream p2, long p3) {
    throw unasked();
  }

  @Override
  public void setBigDecimal(int p1, BigDecimal p2) {
    throw unasked();
  }

  @Override
  public void setBinaryStream(int p1, InputStream p2) {
    throw unasked();
  }

  @Override
  public void setBinaryStream(int p1, InputStream p2, int p3) {
    throw unasked();
  }

  @Override
  public void setBinaryStream(int p1, InputStream p2, long p3) {
    throw unasked();
  }

  @Override
  public void setBlob(int p1, InputStream p2) {
    throw unasked();
  }

  @Override
  public void setBlob(int p1, InputStream p2, long p3) {
    throw unasked();
  }

  @Override
  public void setBlob(int p1, Blob p2) {
    throw unasked();
  }

  @Override
  public void setBoolean(int p1, boolean p2) {
    throw unasked();
  }

  @Override
  public void setByte(int p1, byte p2) {
    throw unasked();
  }

  @Override
  public void setBytes(int p1, byte[] p2) {
    throw unasked();
  }

  @Override
  public void setCharacterStream(int p1, Reader p2) {
    throw unasked();
  }

  @Override
  public void setCharacterStream(int p1, Reader p2, int p3) {
    throw unasked();
  }

  @Override
  public void setCharacterStream(int p1, Reader p2, long p3) {
    throw unasked();
  }

  @Override
  public void setClob(int p1, Reader p2) {
    throw unasked();
  }

  @Override
  public void setClob(int p1, Reader p2, long p3) {
    throw unasked();
  }

  @Override
  public void setClob(int p1, Clob p2) {
    throw unasked();
  }

  @Override
  public void setCursorName(String p1) {
    throw unasked();
  }

  @Override
  public void setDate(int p1, Date p2) {
    throw unasked();
  }

  @Override
  public void setDate(int p1, Date p2, Calendar p3) {
    throw unasked();
  }

  @Override
  public void setDouble(int p1, double p2) {
    throw unasked();
  }

  @Override
  public void setEscapeProcessing(boolean p1) {
    throw unasked();
  }

  @Override
  public void setFetchDirection(int p1) {
    throw unasked();
  }

  @Override
  public void setFetchSize(int p1) {
    throw unasked();
  }

  @Override
  public void setFloat(int p1, float p2) {
    throw unasked();
  }

  @Override
  public void setInt(int p1, int p2) {
    throw unasked();
  }

  @Override
  public void setLong(int p1, long p2) {
    throw unasked();
  }

  @Override
  public void setMaxFieldSize(int p1) {
    throw unasked();
  }

  @Override
  public void setMaxRows(int p1) {
    throw unasked();
  }

  @Override
  public void setNCharacterStream(int p1, Reader p2) {
    throw unasked();
  }

  @Override
  public void setNCharacterStream(int p1, Reader p2, long p3) {
    throw unasked();
  }

  @Override
  public void setNClob(int p1, Reader p2) {
    throw unasked();
  }

  @Override
  public void setNClob(int p1, Reader p2, long p3) {
    throw unasked();
  }

  @Override
  public void setNClob(int p1, NClob p2) {
    throw unasked();
  }

  @Override
  public void setNString(int p1, String p2) {
    throw unasked();
  }

  @Override
  public void setNull(int p1, int p2) {
    throw unasked();
  }

  @Override
  public void setNull(int p1, int p2, String p3) {
    throw unasked();
  }

  @Override
  public void setObject(int p1, Object p2) {
    throw unasked();
  }

  @Override
  public void setObject(int p1, Object p2, int p3) {
    throw unasked();
  }

  @Override
  public void setObject(int p1, Object p2, int p3, int p4) {
    throw unasked();
  }

  @Override
  public void setPoolable(boolean p1) {
    throw unasked();
  }

  @Override
  public void setQueryTimeout(int p1) {
    throw unasked();
  }

  @Override
  public void setRef(int p1, Ref p2) {
    throw unasked();
  }

  @Override
  public void setRowId(int p1, RowId p2) {
    throw unasked();
  }

  @Override
  public void setSQLXML(int p1, SQLXML p2) {
    throw unasked();
  }

  @Override
  public void setShort(int p1, short p2) {
    throw unasked();
  }

  @Override
  public void setString(int p1, String p2) {
    throw unasked();
  }

  @Override
  public void setTime(int p1, Time p2) {
    throw unasked();
  }

  @Override
  public void setTime(int p1, Time p2, Calendar p3) {
    throw unasked();
  }

  @Override
  public void setTimestamp(int p1, Timestamp p2) {
    throw unasked();
  }

  @Override
  public void setTimestamp(int p1, Timestamp p2, Calendar p3) {
    throw unasked();
  }

  @Override
  public void setURL(int p1, URL p2) {
    throw unasked();
  }

  @Override
  public void setUnicodeStream(int p1, InputStream p2, int p3) {
    throw unasked();
  }

  @Override
  public <T> T unwrap(Class<T> type) {
    return type.cast(this);
  }

  @Override
  public boolean isWrapperFor(Class<?> type) {
    return type.isInstance(this);
  }
}
