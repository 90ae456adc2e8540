package dev.waymark.routing;

import java.io.InputStream;
import java.io.Reader;
import java.math.BigDecimal;
import java.net.URL;
import java.sql.Array;
import java.sql.Blob;
import java.sql.CallableStatement;
import java.sql.Clob;
import java.sql.Date;
import java.sql.NClob;
import java.sql.Ref;
import java.sql.RowId;
import java.sql.SQLException;
import java.sql.SQLType;
import java.sql.SQLXML;
import java.sql.Time;
import java.sql.Timestamp;
import java.util.Calendar;
import java.util.Map;

/** A call's results are the driver's; what is ours stands in the subclass. */
abstract class DelegatingCallableStatement extends ShardedPreparedStatement
    implements CallableStatement {
  DelegatingCallableStatement(
      ShardedConnection connection, String sql, Form form, Returned returned) {
    super(connection, sql, form, returned);
  }

  /** The driver's statement, executed. */
  abstract CallableStatement called() throws SQLException;

  private static SQLException byName(String method) {
    return new java.sql.SQLFeatureNotSupportedException(
        method + " by a parameter's name is not offered; use its number", "0A000");
  }

  @Override
  public boolean wasNull() throws SQLException {
    return called().wasNull();
  }

  @Override
  public String getString(int parameterIndex) throws SQLException {
    return called().getString(parameterIndex);
  }

  @Override
  public boolean getBoolean(int parameterIndex) throws SQLException {
    return called().getBoolean(parameterIndex);
  }

  @Override
  public byte getByte(int parameterIndex) throws SQLException {
    return called().getByte(parameterIndex);
  }

  @Override
  public short getShort(int parameterIndex) throws SQLException {
    return called().getShort(parameterIndex);
  }

  @Override
  public int getInt(int parameterIndex) throws SQLException {
    return called().getInt(parameterIndex);
  }

  @Override
  public long getLong(int parameterIndex) throws SQLException {
    return called().getLong(parameterIndex);
  }

  @Override
  public float getFloat(int parameterIndex) throws SQLException {
    return called().getFloat(parameterIndex);
  }

  @Override
  public double getDouble(int parameterIndex) throws SQLException {
    return called().getDouble(parameterIndex);
  }

  @Deprecated
  @SuppressWarnings("deprecation")
  @Override
  public BigDecimal getBigDecimal(int parameterIndex, int scale) throws SQLException {
    return called().getBigDecimal(parameterIndex, scale);
  }

  @Override
  public byte[] getBytes(int parameterIndex) throws SQLException {
    return called().getBytes(parameterIndex);
  }

  @Override
  public Date getDate(int parameterIndex) throws SQLException {
    return called().getDate(parameterIndex);
  }

  @Override
  public Time getTime(int parameterIndex) throws SQLException {
    return called().getTime(parameterIndex);
  }

  @Override
  public Timestamp getTimestamp(int parameterIndex) throws SQLException {
    return called().getTimestamp(parameterIndex);
  }

  @Override
  public Object getObject(int parameterIndex) throws SQLException {
    return called().getObject(parameterIndex);
  }

  @Override
  public BigDecimal getBigDecimal(int parameterIndex) throws SQLException {
    return called().getBigDecimal(parameterIndex);
  }

  @Override
  public Object getObject(int parameterIndex, Map<String, Class<?>> map) throws SQLException {
    return called().getObject(parameterIndex, map);
  }

  @Override
  public Ref getRef(int parameterIndex) throws SQLException {
    return called().getRef(parameterIndex);
  }

  @Override
  public Blob getBlob(int parameterIndex) throws SQLException {
    return called().getBlob(parameterIndex);
  }

  @Override
  public Clob getClob(int parameterIndex) throws SQLException {
    return called().getClob(parameterIndex);
  }

  @Override
  public Array getArray(int parameterIndex) throws SQLException {
    return called().getArray(parameterIndex);
  }

  @Override
  public Date getDate(int parameterIndex, Calendar cal) throws SQLException {
    return called().getDate(parameterIndex, cal);
  }

  @Override
  public Time getTime(int parameterIndex, Calendar cal) throws SQLException {
    return called().getTime(parameterIndex, cal);
  }

  @Override
  public Timestamp getTimestamp(int parameterIndex, Calendar cal) throws SQLException {
    return called().getTimestamp(parameterIndex, cal);
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void registerOutParameter(String parameterName, int sqlType) throws SQLException {
    throw byName("registerOutParameter");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void registerOutParameter(String parameterName, int sqlType, int scale)
      throws SQLException {
    throw byName("registerOutParameter");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void registerOutParameter(String parameterName, int sqlType, String typeName)
      throws SQLException {
    throw byName("registerOutParameter");
  }

  @Override
  public URL getURL(int parameterIndex) throws SQLException {
    return called().getURL(parameterIndex);
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setURL(String parameterName, URL val) throws SQLException {
    throw byName("setURL");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setNull(String parameterName, int sqlType) throws SQLException {
    throw byName("setNull");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setBoolean(String parameterName, boolean x) throws SQLException {
    throw byName("setBoolean");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setByte(String parameterName, byte x) throws SQLException {
    throw byName("setByte");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setShort(String parameterName, short x) throws SQLException {
    throw byName("setShort");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setInt(String parameterName, int x) throws SQLException {
    throw byName("setInt");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setLong(String parameterName, long x) throws SQLException {
    throw byName("setLong");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setFloat(String parameterName, float x) throws SQLException {
    throw byName("setFloat");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setDouble(String parameterName, double x) throws SQLException {
    throw byName("setDouble");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setBigDecimal(String parameterName, BigDecimal x) throws SQLException {
    throw byName("setBigDecimal");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setString(String parameterName, String x) throws SQLException {
    throw byName("setString");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setBytes(String parameterName, byte[] x) throws SQLException {
    throw byName("setBytes");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setDate(String parameterName, Date x) throws SQLException {
    throw byName("setDate");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setTime(String parameterName, Time x) throws SQLException {
    throw byName("setTime");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setTimestamp(String parameterName, Timestamp x) throws SQLException {
    throw byName("setTimestamp");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setAsciiStream(String parameterName, InputStream x, int length) throws SQLException {
    throw byName("setAsciiStream");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setBinaryStream(String parameterName, InputStream x, int length) throws SQLException {
    throw byName("setBinaryStream");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setObject(String parameterName, Object x, int targetSqlType, int scale)
      throws SQLException {
    throw byName("setObject");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setObject(String parameterName, Object x, int targetSqlType) throws SQLException {
    throw byName("setObject");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setObject(String parameterName, Object x) throws SQLException {
    throw byName("setObject");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setCharacterStream(String parameterName, Reader reader, int length)
      throws SQLException {
    throw byName("setCharacterStream");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setDate(String parameterName, Date x, Calendar cal) throws SQLException {
    throw byName("setDate");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setTime(String parameterName, Time x, Calendar cal) throws SQLException {
    throw byName("setTime");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setTimestamp(String parameterName, Timestamp x, Calendar cal) throws SQLException {
    throw byName("setTimestamp");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setNull(String parameterName, int sqlType, String typeName) throws SQLException {
    throw byName("setNull");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public String getString(String parameterName) throws SQLException {
    throw byName("getString");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public boolean getBoolean(String parameterName) throws SQLException {
    throw byName("getBoolean");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public byte getByte(String parameterName) throws SQLException {
    throw byName("getByte");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public short getShort(String parameterName) throws SQLException {
    throw byName("getShort");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public int getInt(String parameterName) throws SQLException {
    throw byName("getInt");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public long getLong(String parameterName) throws SQLException {
    throw byName("getLong");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public float getFloat(String parameterName) throws SQLException {
    throw byName("getFloat");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public double getDouble(String parameterName) throws SQLException {
    throw byName("getDouble");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public byte[] getBytes(String parameterName) throws SQLException {
    throw byName("getBytes");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public Date getDate(String parameterName) throws SQLException {
    throw byName("getDate");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public Time getTime(String parameterName) throws SQLException {
    throw byName("getTime");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public Timestamp getTimestamp(String parameterName) throws SQLException {
    throw byName("getTimestamp");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public Object getObject(String parameterName) throws SQLException {
    throw byName("getObject");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public BigDecimal getBigDecimal(String parameterName) throws SQLException {
    throw byName("getBigDecimal");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public Object getObject(String parameterName, Map<String, Class<?>> map) throws SQLException {
    throw byName("getObject");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public Ref getRef(String parameterName) throws SQLException {
    throw byName("getRef");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public Blob getBlob(String parameterName) throws SQLException {
    throw byName("getBlob");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public Clob getClob(String parameterName) throws SQLException {
    throw byName("getClob");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public Array getArray(String parameterName) throws SQLException {
    throw byName("getArray");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public Date getDate(String parameterName, Calendar cal) throws SQLException {
    throw byName("getDate");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public Time getTime(String parameterName, Calendar cal) throws SQLException {
    throw byName("getTime");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public Timestamp getTimestamp(String parameterName, Calendar cal) throws SQLException {
    throw byName("getTimestamp");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public URL getURL(String parameterName) throws SQLException {
    throw byName("getURL");
  }

  @Override
  public RowId getRowId(int parameterIndex) throws SQLException {
    return called().getRowId(parameterIndex);
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public RowId getRowId(String parameterName) throws SQLException {
    throw byName("getRowId");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setRowId(String parameterName, RowId x) throws SQLException {
    throw byName("setRowId");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setNString(String parameterName, String value) throws SQLException {
    throw byName("setNString");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setNCharacterStream(String parameterName, Reader value, long length)
      throws SQLException {
    throw byName("setNCharacterStream");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setNClob(String parameterName, NClob value) throws SQLException {
    throw byName("setNClob");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setClob(String parameterName, Reader reader, long length) throws SQLException {
    throw byName("setClob");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setBlob(String parameterName, InputStream inputStream, long length)
      throws SQLException {
    throw byName("setBlob");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setNClob(String parameterName, Reader reader, long length) throws SQLException {
    throw byName("setNClob");
  }

  @Override
  public NClob getNClob(int parameterIndex) throws SQLException {
    return called().getNClob(parameterIndex);
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public NClob getNClob(String parameterName) throws SQLException {
    throw byName("getNClob");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setSQLXML(String parameterName, SQLXML xmlObject) throws SQLException {
    throw byName("setSQLXML");
  }

  @Override
  public SQLXML getSQLXML(int parameterIndex) throws SQLException {
    return called().getSQLXML(parameterIndex);
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public SQLXML getSQLXML(String parameterName) throws SQLException {
    throw byName("getSQLXML");
  }

  @Override
  public String getNString(int parameterIndex) throws SQLException {
    return called().getNString(parameterIndex);
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public String getNString(String parameterName) throws SQLException {
    throw byName("getNString");
  }

  @Override
  public Reader getNCharacterStream(int parameterIndex) throws SQLException {
    return called().getNCharacterStream(parameterIndex);
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public Reader getNCharacterStream(String parameterName) throws SQLException {
    throw byName("getNCharacterStream");
  }

  @Override
  public Reader getCharacterStream(int parameterIndex) throws SQLException {
    return called().getCharacterStream(parameterIndex);
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public Reader getCharacterStream(String parameterName) throws SQLException {
    throw byName("getCharacterStream");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setBlob(String parameterName, Blob x) throws SQLException {
    throw byName("setBlob");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setClob(String parameterName, Clob x) throws SQLException {
    throw byName("setClob");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setAsciiStream(String parameterName, InputStream x, long length) throws SQLException {
    throw byName("setAsciiStream");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setBinaryStream(String parameterName, InputStream x, long length)
      throws SQLException {
    throw byName("setBinaryStream");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setCharacterStream(String parameterName, Reader reader, long length)
      throws SQLException {
    throw byName("setCharacterStream");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setAsciiStream(String parameterName, InputStream x) throws SQLException {
    throw byName("setAsciiStream");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setBinaryStream(String parameterName, InputStream x) throws SQLException {
    throw byName("setBinaryStream");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setCharacterStream(String parameterName, Reader reader) throws SQLException {
    throw byName("setCharacterStream");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setNCharacterStream(String parameterName, Reader value) throws SQLException {
    throw byName("setNCharacterStream");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setClob(String parameterName, Reader reader) throws SQLException {
    throw byName("setClob");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setBlob(String parameterName, InputStream inputStream) throws SQLException {
    throw byName("setBlob");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setNClob(String parameterName, Reader reader) throws SQLException {
    throw byName("setNClob");
  }

  @Override
  public <T> T getObject(int parameterIndex, Class<T> type) throws SQLException {
    return called().getObject(parameterIndex, type);
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public <T> T getObject(String parameterName, Class<T> type) throws SQLException {
    throw byName("getObject");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setObject(String parameterName, Object x, SQLType targetSqlType, int scaleOrLength)
      throws SQLException {
    throw byName("setObject");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void setObject(String parameterName, Object x, SQLType targetSqlType) throws SQLException {
    throw byName("setObject");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void registerOutParameter(String parameterName, SQLType sqlType) throws SQLException {
    throw byName("registerOutParameter");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void registerOutParameter(String parameterName, SQLType sqlType, int scale)
      throws SQLException {
    throw byName("registerOutParameter");
  }

  @Override
  @Refused("pgjdbc knows no parameters by name")
  public void registerOutParameter(String parameterName, SQLType sqlType, String typeName)
      throws SQLException {
    throw byName("registerOutParameter");
  }
}
