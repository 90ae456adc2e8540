package dev.waymark.benchmarks;

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
import java.sql.ResultSetMetaData;
import java.sql.RowId;
import java.sql.SQLWarning;
import java.sql.SQLXML;
import java.sql.Statement;
import java.sql.Time;
import java.sql.Timestamp;
import java.util.Calendar;
import java.util.Map;
import org.jspecify.annotations.NullUnmarked;

/** Refuses everything, so that the stub's own rows need only say what it answers. */
@NullUnmarked // Rows may be asked for and may return null almost anywhere.
@SuppressWarnings("deprecation") // The interface has methods that it deprecates.
abstract class UnaskedRows implements ResultSet {

  private static UnsupportedOperationException unasked() {
    return new UnsupportedOperationException("No contender was expected to ask for this");
  }

  @Override
  public boolean absolute(int p1) {
    throw unasked();
  }

  @Override
  public void afterLast() {
    throw unasked();
  }

  @Override
  public void beforeFirst() {
    throw unasked();
  }

  @Override
  public void cancelRowUpdates() {
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
  public void deleteRow() {
    throw unasked();
  }

  @Override
  public int findColumn(String p1) {
    throw unasked();
  }

  @Override
  public boolean first() {
    throw unasked();
  }

  @Override
  public Array getArray(int p1) {
    throw unasked();
  }

  @Override
  public Array getArray(String p1) {
    throw unasked();
  }

  @Override
  public InputStream getAsciiStream(int p1) {
    throw unasked();
  }

  @Override
  public InputStream getAsciiStream(String p1) {
    throw unasked();
  }

  @Override
  public BigDecimal getBigDecimal(int p1) {
    throw unasked();
  }

  @Override
  public BigDecimal getBigDecimal(int p1, int p2) {
    throw unasked();
  }

  @Override
  public BigDecimal getBigDecimal(String p1) {
    throw unasked();
  }

  @Override
  public BigDecimal getBigDecimal(String p1, int p2) {
    throw unasked();
  }

  @Override
  public InputStream getBinaryStream(int p1) {
    throw unasked();
  }

  @Override
  public InputStream getBinaryStream(String p1) {
    throw unasked();
  }

  @Override
  public Blob getBlob(int p1) {
    throw unasked();
  }

  @Override
  public Blob getBlob(String p1) {
    throw unasked();
  }

  @Override
  public boolean getBoolean(int p1) {
    throw unasked();
  }

  @Override
  public boolean getBoolean(String p1) {
    throw unasked();
  }

  @Override
  public byte getByte(int p1) {
    throw unasked();
  }

  @Override
  public byte getByte(String p1) {
    throw unasked();
  }

  @Override
  public byte[] getBytes(int p1) {
    throw unasked();
  }

  @Override
  public byte[] getBytes(String p1) {
    throw unasked();
  }

  @Override
  public Reader getCharacterStream(int p1) {
    throw unasked();
  }

  @Override
  public Reader getCharacterStream(String p1) {
    throw unasked();
  }

  @Override
  public Clob getClob(int p1) {
    throw unasked();
  }

  @Override
  public Clob getClob(String p1) {
    throw unasked();
  }

  @Override
  public int getConcurrency() {
    throw unasked();
  }

  @Override
  public String getCursorName() {
    throw unasked();
  }

  @Override
  public Date getDate(int p1) {
    throw unasked();
  }

  @Override
  public Date getDate(int p1, Calendar p2) {
    throw unasked();
  }

  @Override
  public Date getDate(String p1) {
    throw unasked();
  }

  @Override
  public Date getDate(String p1, Calendar p2) {
    throw unasked();
  }

  @Override
  public double getDouble(int p1) {
    throw unasked();
  }

  @Override
  public double getDouble(String p1) {
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
  public float getFloat(int p1) {
    throw unasked();
  }

  @Override
  public float getFloat(String p1) {
    throw unasked();
  }

  @Override
  public int getHoldability() {
    throw unasked();
  }

  @Override
  public int getInt(int p1) {
    throw unasked();
  }

  @Override
  public int getInt(String p1) {
    throw unasked();
  }

  @Override
  public long getLong(int p1) {
    throw unasked();
  }

  @Override
  public long getLong(String p1) {
    throw unasked();
  }

  @Override
  public ResultSetMetaData getMetaData() {
    throw unasked();
  }

  @Override
  public Reader getNCharacterStream(int p1) {
    throw unasked();
  }

  @Override
  public Reader getNCharacterStream(String p1) {
    throw unasked();
  }

  @Override
  public NClob getNClob(int p1) {
    throw unasked();
  }

  @Override
  public NClob getNClob(String p1) {
    throw unasked();
  }

  @Override
  public String getNString(int p1) {
    throw unasked();
  }

  @Override
  public String getNString(String p1) {
    throw unasked();
  }

  @Override
  public Object getObject(int p1) {
    throw unasked();
  }

  @Override
  public <T> T getObject(int p1, Class<T> p2) {
    throw unasked();
  }

  @Override
  public Object getObject(int p1, Map<String, Class<?>> p2) {
    throw unasked();
  }

  @Override
  public Object getObject(String p1) {
    throw unasked();
  }

  @Override
  public <T> T getObject(String p1, Class<T> p2) {
    throw unasked();
  }

  @Override
  public Object getObject(String p1, Map<String, Class<?>> p2) {
    throw unasked();
  }

  @Override
  public Ref getRef(int p1) {
    throw unasked();
  }

  @Override
  public Ref getRef(String p1) {
    throw unasked();
  }

  @Override
  public int getRow() {
    throw unasked();
  }

  @Override
  public RowId getRowId(int p1) {
    throw unasked();
  }

  @Override
  public RowId getRowId(String p1) {
    throw unasked();
  }

  @Override
  public SQLXML getSQLXML(int p1) {
    throw unasked();
  }

  @Override
  public SQLXML getSQLXML(String p1) {
    throw unasked();
  }

  @Override
  public short getShort(int p1) {
    throw unasked();
  }

  @Override
  public short getShort(String p1) {
    throw unasked();
  }

  @Override
  public Statement getStatement() {
    throw unasked();
  }

  @Override
  public String getString(int p1) {
    throw unasked();
  }

  @Override
  public String getString(String p1) {
    throw unasked();
  }

  @Override
  public Time getTime(int p1) {
    throw unasked();
  }

  @Override
  public Time getTime(int p1, Calendar p2) {
    throw unasked();
  }

  @Override
  public Time getTime(String p1) {
    throw unasked();
  }

  @Override
  public Time getTime(String p1, Calendar p2) {
    throw unasked();
  }

  @Override
  public Timestamp getTimestamp(int p1) {
    throw unasked();
  }

  @Override
  public Timestamp getTimestamp(int p1, Calendar p2) {
    throw unasked();
  }

  @Override
  public Timestamp getTimestamp(String p1) {
    throw unasked();
  }

  @Override
  public Timestamp getTimestamp(String p1, Calendar p2) {
    throw unasked();
  }

  @Override
  public int getType() {
    throw unasked();
  }

  @Override
  public URL getURL(int p1) {
    throw unasked();
  }

  @Override
  public URL getURL(String p1) {
    throw unasked();
  }

  @Override
  public InputStream getUnicodeStream(int p1) {
    throw unasked();
  }

  @Override
  public InputStream getUnicodeStream(String p1) {
    throw unasked();
  }

  @Override
  public SQLWarning getWarnings() {
    throw unasked();
  }

  @Override
  public void insertRow() {
    throw unasked();
  }

  @Override
  public boolean isAfterLast() {
    throw unasked();
  }

  @Override
  public boolean isBeforeFirst() {
    throw unasked();
  }

  @Override
  public boolean isClosed() {
    throw unasked();
  }

  @Override
  public boolean isFirst() {
    throw unasked();
  }

  @Override
  public boolean isLast() {
    throw unasked();
  }

  @Override
  public boolean last() {
    throw unasked();
  }

  @Override
  public void moveToCurrentRow() {
    throw unasked();
  }

  @Override
  public void moveToInsertRow() {
    throw unasked();
  }

  @Override
  public boolean next() {
    throw unasked();
  }

  @Override
  public boolean previous() {
    throw unasked();
  }

  @Override
  public void refreshRow() {
    throw unasked();
  }

  @Override
  public boolean relative(int p1) {
    throw unasked();
  }

  @Override
  public boolean rowDeleted() {
    throw unasked();
  }

  @Override
  public boolean rowInserted() {
    throw unasked();
  }

  @Override
  public boolean rowUpdated() {
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
  public void updateArray(int p1, Array p2) {
    throw unasked();
  }

  @Override
  public void updateArray(String p1, Array p2) {
    throw unasked();
  }

  @Override
  public void updateAsciiStream(int p1, InputStream p2) {
    throw unasked();
  }

  @Override
  public void updateAsciiStream(int p1, InputStream p2, int p3) {
    throw unasked();
  }

  @Override
  public void updateAsciiStream(int p1, InputStream p2, long p3) {
    throw unasked();
  }

  @Override
  public void updateAsciiStream(String p1, InputStream p2) {
    throw unasked();
  }

  @Override
  public void updateAsciiStream(String p1, InputStream p2, int p3) {
    throw unasked();
  }

  @Override
  public void updateAsciiStream(String p1, InputStream p2, long p3) {
    throw unasked();
  }

  @Override
  public void updateBigDecimal(int p1, BigDecimal p2) {
    throw unasked();
  }

  @Override
  public void updateBigDecimal(String p1, BigDecimal p2) {
    throw unasked();
  }

  @Override
  public void updateBinaryStream(int p1, InputStream p2) {
    throw unasked();
  }

  @Override
  public void updateBinaryStream(int p1, InputStream p2, int p3) {
    throw unasked();
  }

  @Override
  public void updateBinaryStream(int p1, InputStream p2, long p3) {
    throw unasked();
  }

  @Override
  public void updateBinaryStream(String p1, InputStream p2) {
    throw unasked();
  }

  @Override
  public void updateBinaryStream(String p1, InputStream p2, int p3) {
    throw unasked();
  }

  @Override
  public void updateBinaryStream(String p1, InputStream p2, long p3) {
    throw unasked();
  }

  @Override
  public void updateBlob(int p1, InputStream p2) {
    throw unasked();
  }

  @Override
  public void updateBlob(int p1, InputStream p2, long p3) {
    throw unasked();
  }

  @Override
  public void updateBlob(int p1, Blob p2) {
    throw unasked();
  }

  @Override
  public void updateBlob(String p1, InputStream p2) {
    throw unasked();
  }

  @Override
  public void updateBlob(String p1, InputStream p2, long p3) {
    throw unasked();
  }

  @Override
  public void updateBlob(String p1, Blob p2) {
    throw unasked();
  }

  @Override
  public void updateBoolean(int p1, boolean p2) {
    throw unasked();
  }

  @Override
  public void updateBoolean(String p1, boolean p2) {
    throw unasked();
  }

  @Override
  public void updateByte(int p1, byte p2) {
    throw unasked();
  }

  @Override
  public void updateByte(String p1, byte p2) {
    throw unasked();
  }

  @Override
  public void updateBytes(int p1, byte[] p2) {
    throw unasked();
  }

  @Override
  public void updateBytes(String p1, byte[] p2) {
    throw unasked();
  }

  @Override
  public void updateCharacterStream(int p1, Reader p2) {
    throw unasked();
  }

  @Override
  public void updateCharacterStream(int p1, Reader p2, int p3) {
    throw unasked();
  }

  @Override
  public void updateCharacterStream(int p1, Reader p2, long p3) {
    throw unasked();
  }

  @Override
  public void updateCharacterStream(String p1, Reader p2) {
    throw unasked();
  }

  @Override
  public void updateCharacterStream(String p1, Reader p2, int p3) {
    throw unasked();
  }

  @Override
  public void updateCharacterStream(String p1, Reader p2, long p3) {
    throw unasked();
  }

  @Override
  public void updateClob(int p1, Reader p2) {
    throw unasked();
  }

  @Override
  public void updateClob(int p1, Reader p2, long p3) {
    throw unasked();
  }

  @Override
  public void updateClob(int p1, Clob p2) {
    throw unasked();
  }

  @Override
  public void updateClob(String p1, Reader p2) {
    throw unasked();
  }

  @Override
  public void updateClob(String p1, Reader p2, long p3) {
    throw unasked();
  }

  @Override
  public void updateClob(String p1, Clob p2) {
    throw unasked();
  }

  @Override
  public void updateDate(int p1, Date p2) {
    throw unasked();
  }

  @Override
  public void updateDate(String p1, Date p2) {
    throw unasked();
  }

  @Override
  public void updateDouble(int p1, double p2) {
    throw unasked();
  }

  @Override
  public void updateDouble(String p1, double p2) {
    throw unasked();
  }

  @Override
  public void updateFloat(int p1, float p2) {
    throw unasked();
  }

  @Override
  public void updateFloat(String p1, float p2) {
    throw unasked();
  }

  @Override
  public void updateInt(int p1, int p2) {
    throw unasked();
  }

  @Override
  public void updateInt(String p1, int p2) {
    throw unasked();
  }

  @Override
  public void updateLong(int p1, long p2) {
    throw unasked();
  }

  @Override
  public void updateLong(String p1, long p2) {
    throw unasked();
  }

  @Override
  public void updateNCharacterStream(int p1, Reader p2) {
    throw unasked();
  }

  @Override
  public void updateNCharacterStream(int p1, Reader p2, long p3) {
    throw unasked();
  }

  @Override
  public void updateNCharacterStream(String p1, Reader p2) {
    throw unasked();
  }

  @Override
  public void updateNCharacterStream(String p1, Reader p2, long p3) {
    throw unasked();
  }

  @Override
  public void updateNClob(int p1, Reader p2) {
    throw unasked();
  }

  @Override
  public void updateNClob(int p1, Reader p2, long p3) {
    throw unasked();
  }

  @Override
  public void updateNClob(int p1, NClob p2) {
    throw unasked();
  }

  @Override
  public void updateNClob(String p1, Reader p2) {
    throw unasked();
  }

  @Override
  public void updateNClob(String p1, Reader p2, long p3) {
    throw unasked();
  }

  @Override
  public void updateNClob(String p1, NClob p2) {
    throw unasked();
  }

  @Override
  public void updateNString(int p1, String p2) {
    throw unasked();
  }

  @Override
  public void updateNString(String p1, String p2) {
    throw unasked();
  }

  @Override
  public void updateNull(int p1) {
    throw unasked();
  }

  @Override
  public void updateNull(String p1) {
    throw unasked();
  }

  @Override
  public void updateObject(int p1, Object p2) {
    throw unasked();
  }

  @Override
  public void updateObject(int p1, Object p2, int p3) {
    throw unasked();
  }

  @Override
  public void updateObject(String p1, Object p2) {
    throw unasked();
  }

  @Override
  public void updateObject(String p1, Object p2, int p3) {
    throw unasked();
  }

  @Override
  public void updateRef(int p1, Ref p2) {
    throw unasked();
  }

  @Override
  public void updateRef(String p1, Ref p2) {
    throw unasked();
  }

  @Override
  public void updateRow() {
    throw unasked();
  }

  @Override
  public void updateRowId(int p1, RowId p2) {
    throw unasked();
  }

  @Override
  public void updateRowId(String p1, RowId p2) {
    throw unasked();
  }

  @Override
  public void updateSQLXML(int p1, SQLXML p2) {
    throw unasked();
  }

  @Override
  public void updateSQLXML(String p1, SQLXML p2) {
    throw unasked();
  }

  @Override
  public void updateShort(int p1, short p2) {
    throw unasked();
  }

  @Override
  public void updateShort(String p1, short p2) {
    throw unasked();
  }

  @Override
  public void updateString(int p1, String p2) {
    throw unasked();
  }

  @Override
  public void updateString(String p1, String p2) {
    throw unasked();
  }

  @Override
  public void updateTime(int p1, Time p2) {
    throw unasked();
  }

  @Override
  public void updateTime(String p1, Time p2) {
    throw unasked();
  }

  @Override
  public void updateTimestamp(int p1, Timestamp p2) {
    throw unasked();
  }

  @Override
  public void updateTimestamp(String p1, Timestamp p2) {
    throw unasked();
  }

  @Override
  public boolean wasNull() {
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
