package dev.waymark.routing;

import dev.waymark.routing.Parameters.Kind;
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
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.sql.SQLType;
import java.sql.SQLXML;
import java.sql.Statement;
import java.sql.Time;
import java.sql.Timestamp;
import java.util.ArrayList;
import java.util.Calendar;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A prepared statement whose parameters are kept until the key among them has told the server. The
 * driver keeps its own prepared statements by text, so what is prepared on a server stays so.
 */
class ShardedPreparedStatement extends ShardedStatement implements PreparedStatement {
  private final String sql;
  private final Parameters parameters = new Parameters();
  private @Nullable StatementPlan plan;
  private @Nullable List<Parameters> batch;
  private long @Nullable [] batchDealt;

  ShardedPreparedStatement(ShardedConnection connection, String sql, Form form, Returned returned) {
    super(connection, form, returned);
    this.sql = sql;
  }

  // ---- running ------------------------------------------------------------------------------

  private void run(Operation what) throws SQLException {
    checkOpen();
    reset();
    StatementPlan known = planned();
    plan = known;
    perform(what, known, parameters);
  }

  /** The plan of the text. */
  StatementPlan planned() throws SQLException {
    return sharded().plans().of(sql);
  }

  final String text() {
    return sql;
  }

  @Override
  final SqlScanner.Markers markers() {
    return SqlScanner.Markers.JDBC;
  }

  @Override
  public ResultSet executeQuery() throws SQLException {
    run(Operation.QUERY);
    return result();
  }

  @Override
  public int executeUpdate() throws SQLException {
    run(Operation.UPDATE);
    return small(updated());
  }

  @Override
  public long executeLargeUpdate() throws SQLException {
    run(Operation.UPDATE);
    return updated();
  }

  @Override
  public boolean execute() throws SQLException {
    run(Operation.ANY);
    return hasRows();
  }

  @Override
  final void refuseIfPrepared(String method) throws SQLException {
    throw new SQLException(
        method + "(String) is not for a prepared statement, which has its text", "42809");
  }

  @Override
  Statement make(Connection on, String text, Form form, Returned returned) throws SQLException {
    return returned.prepare(on, text, form);
  }

  @Override
  void bind(Statement on) throws SQLException {
    if (isInBatch()) {
      return;
    }
    PreparedStatement prepared = (PreparedStatement) on;
    if (dealtParameter() == 0) {
      parameters.setOn(prepared);
    } else {
      parameters.setOn(prepared, dealtParameter(), dealtKey());
    }
  }

  @Override
  final ResultSet query(Statement on, String text) throws SQLException {
    return ((PreparedStatement) on).executeQuery();
  }

  @Override
  final long update(Statement on, String text, Returned returned) throws SQLException {
    return ((PreparedStatement) on).executeLargeUpdate();
  }

  @Override
  final boolean any(Statement on, String text, Returned returned) throws SQLException {
    return ((PreparedStatement) on).execute();
  }

  // ---- batches ------------------------------------------------------------------------------

  @Override
  public void addBatch() throws SQLException {
    checkOpen();
    List<Parameters> known = batch;
    if (known == null) {
      known = new ArrayList<>();
      batch = known;
    }
    known.add(parameters.copy());
  }

  @Override
  void forgetBatch() {
    batch = null;
    batchDealt = null;
  }

  @Override
  int batchSize() {
    return batch == null ? 0 : batch.size();
  }

  @Override
  StatementPlan batchPlan(int place) throws SQLException {
    StatementPlan known = plan;
    if (place == 0 || known == null) {
      known = planned();
      plan = known;
    }
    return known;
  }

  @Override
  BoundValues batchValues(int place) {
    return java.util.Objects.requireNonNull(batch).get(place);
  }

  @Override
  void batchDealt(int place, long key) {
    long[] known = batchDealt;
    if (known == null) {
      known = new long[batchSize()];
      batchDealt = known;
    }
    known[place] = key;
  }

  @Override
  void fillBatch(Statement on, int[] part) throws SQLException {
    PreparedStatement prepared = (PreparedStatement) on;
    for (int place : part) {
      Parameters values = (Parameters) batchValues(place);
      // A row that lacks a value is told, and does not take that of the row before.
      prepared.clearParameters();
      if (dealtParameter() == 0 || batchDealt == null) {
        values.setOn(prepared);
      } else {
        values.setOn(prepared, dealtParameter(), batchDealt[place]);
      }
      prepared.addBatch();
    }
  }

  // ---- what is only known to servers --------------------------------------------------------

  @Override
  public @Nullable ResultSetMetaData getMetaData() throws SQLException {
    checkOpen();
    if (server() instanceof PreparedStatement prepared) {
      return prepared.getMetaData();
    }
    return sharded()
        .onSomeServer(
            on -> {
              try (PreparedStatement prepared = on.prepareStatement(sql)) {
                ResultSetMetaData told = prepared.getMetaData();
                return told == null
                    ? Optional.<ResultSetMetaData>empty()
                    : Optional.<ResultSetMetaData>of(DescribedColumns.of(told));
              }
            })
        .orElse(null);
  }

  @Override
  public ParameterMetaData getParameterMetaData() throws SQLException {
    checkOpen();
    if (server() instanceof PreparedStatement prepared && dealtParameter() == 0) {
      return prepared.getParameterMetaData();
    }
    return sharded()
        .onSomeServer(
            on -> {
              try (PreparedStatement prepared = on.prepareStatement(sql)) {
                return DescribedParameters.of(prepared.getParameterMetaData());
              }
            });
  }

  // ---- parameters ---------------------------------------------------------------------------

  final Parameters parameters() {
    return parameters;
  }

  final void put(int number, Kind kind, @Nullable Object value) throws SQLException {
    checkOpen();
    parameters.put(number, kind, value);
  }

  final void special(int number, @Nullable Object value, Parameters.Setter setter)
      throws SQLException {
    checkOpen();
    parameters.putSpecial(number, value, setter);
  }

  final void once(int number, Parameters.Setter setter) throws SQLException {
    checkOpen();
    parameters.putOnce(number, setter);
  }

  @Override
  public void clearParameters() throws SQLException {
    checkOpen();
    parameters.clear();
    if (server() instanceof PreparedStatement prepared) {
      // Within a transaction it is used again, and would keep what is not set anew.
      prepared.clearParameters();
    }
  }

  @Override
  public void setNull(int number, int sqlType) throws SQLException {
    special(number, null, (on, at) -> on.setNull(at, sqlType));
  }

  @Override
  public void setNull(int number, int sqlType, String typeName) throws SQLException {
    special(number, null, (on, at) -> on.setNull(at, sqlType, typeName));
  }

  @Override
  public void setBoolean(int number, boolean value) throws SQLException {
    put(number, Kind.BOOLEAN, value);
  }

  @Override
  public void setByte(int number, byte value) throws SQLException {
    put(number, Kind.BYTE, value);
  }

  @Override
  public void setShort(int number, short value) throws SQLException {
    put(number, Kind.SHORT, value);
  }

  @Override
  public void setInt(int number, int value) throws SQLException {
    put(number, Kind.INT, value);
  }

  @Override
  public void setLong(int number, long value) throws SQLException {
    put(number, Kind.LONG, value);
  }

  @Override
  public void setFloat(int number, float value) throws SQLException {
    put(number, Kind.FLOAT, value);
  }

  @Override
  public void setDouble(int number, double value) throws SQLException {
    put(number, Kind.DOUBLE, value);
  }

  @Override
  public void setBigDecimal(int number, @Nullable BigDecimal value) throws SQLException {
    put(number, Kind.DECIMAL, value);
  }

  @Override
  public void setString(int number, @Nullable String value) throws SQLException {
    put(number, Kind.STRING, value);
  }

  @Override
  public void setNString(int number, @Nullable String value) throws SQLException {
    special(number, value, (on, at) -> on.setNString(at, value));
  }

  @Override
  public void setBytes(int number, byte @Nullable [] value) throws SQLException {
    put(number, Kind.BYTES, value);
  }

  @Override
  public void setDate(int number, @Nullable Date value) throws SQLException {
    put(number, Kind.DATE, value);
  }

  @Override
  public void setDate(int number, @Nullable Date value, @Nullable Calendar calendar)
      throws SQLException {
    special(number, value, (on, at) -> on.setDate(at, value, calendar));
  }

  @Override
  public void setTime(int number, @Nullable Time value) throws SQLException {
    put(number, Kind.TIME, value);
  }

  @Override
  public void setTime(int number, @Nullable Time value, @Nullable Calendar calendar)
      throws SQLException {
    special(number, value, (on, at) -> on.setTime(at, value, calendar));
  }

  @Override
  public void setTimestamp(int number, @Nullable Timestamp value) throws SQLException {
    put(number, Kind.TIMESTAMP, value);
  }

  @Override
  public void setTimestamp(int number, @Nullable Timestamp value, @Nullable Calendar calendar)
      throws SQLException {
    special(number, value, (on, at) -> on.setTimestamp(at, value, calendar));
  }

  @Override
  public void setObject(int number, @Nullable Object value) throws SQLException {
    put(number, Kind.OBJECT, value);
  }

  @Override
  public void setObject(int number, @Nullable Object value, int sqlType) throws SQLException {
    special(number, value, (on, at) -> on.setObject(at, forServer(on, value), sqlType));
  }

  @Override
  public void setObject(int number, @Nullable Object value, int sqlType, int scaleOrLength)
      throws SQLException {
    special(
        number, value, (on, at) -> on.setObject(at, forServer(on, value), sqlType, scaleOrLength));
  }

  @Override
  public void setObject(int number, @Nullable Object value, SQLType sqlType) throws SQLException {
    special(number, value, (on, at) -> on.setObject(at, forServer(on, value), sqlType));
  }

  @Override
  public void setObject(int number, @Nullable Object value, SQLType sqlType, int scaleOrLength)
      throws SQLException {
    special(
        number, value, (on, at) -> on.setObject(at, forServer(on, value), sqlType, scaleOrLength));
  }

  private static @Nullable Object forServer(PreparedStatement on, @Nullable Object value)
      throws SQLException {
    return value instanceof Parameters.ShardedArray ours ? ours.on(on.getConnection()) : value;
  }

  @Override
  public void setArray(int number, @Nullable Array value) throws SQLException {
    put(number, Kind.ARRAY, value);
  }

  @Override
  public void setSQLXML(int number, @Nullable SQLXML value) throws SQLException {
    special(number, value, (on, at) -> on.setSQLXML(at, value));
  }

  @Override
  public void setAsciiStream(int number, @Nullable InputStream value) throws SQLException {
    once(number, (on, at) -> on.setAsciiStream(at, value));
  }

  @Override
  public void setAsciiStream(int number, @Nullable InputStream value, int length)
      throws SQLException {
    once(number, (on, at) -> on.setAsciiStream(at, value, length));
  }

  @Override
  public void setAsciiStream(int number, @Nullable InputStream value, long length)
      throws SQLException {
    once(number, (on, at) -> on.setAsciiStream(at, value, length));
  }

  @Override
  @Deprecated
  @SuppressWarnings("deprecation")
  public void setUnicodeStream(int number, @Nullable InputStream value, int length)
      throws SQLException {
    once(number, (on, at) -> on.setUnicodeStream(at, value, length));
  }

  @Override
  public void setBinaryStream(int number, @Nullable InputStream value) throws SQLException {
    once(number, (on, at) -> on.setBinaryStream(at, value));
  }

  @Override
  public void setBinaryStream(int number, @Nullable InputStream value, int length)
      throws SQLException {
    once(number, (on, at) -> on.setBinaryStream(at, value, length));
  }

  @Override
  public void setBinaryStream(int number, @Nullable InputStream value, long length)
      throws SQLException {
    once(number, (on, at) -> on.setBinaryStream(at, value, length));
  }

  @Override
  public void setCharacterStream(int number, @Nullable Reader value) throws SQLException {
    once(number, (on, at) -> on.setCharacterStream(at, value));
  }

  @Override
  public void setCharacterStream(int number, @Nullable Reader value, int length)
      throws SQLException {
    once(number, (on, at) -> on.setCharacterStream(at, value, length));
  }

  @Override
  public void setCharacterStream(int number, @Nullable Reader value, long length)
      throws SQLException {
    once(number, (on, at) -> on.setCharacterStream(at, value, length));
  }

  @Override
  public void setNCharacterStream(int number, @Nullable Reader value) throws SQLException {
    once(number, (on, at) -> on.setNCharacterStream(at, value));
  }

  @Override
  public void setNCharacterStream(int number, @Nullable Reader value, long length)
      throws SQLException {
    once(number, (on, at) -> on.setNCharacterStream(at, value, length));
  }

  @Override
  public void setBlob(int number, @Nullable InputStream value) throws SQLException {
    once(number, (on, at) -> on.setBlob(at, value));
  }

  @Override
  public void setBlob(int number, @Nullable InputStream value, long length) throws SQLException {
    once(number, (on, at) -> on.setBlob(at, value, length));
  }

  @Override
  public void setClob(int number, @Nullable Reader value) throws SQLException {
    once(number, (on, at) -> on.setClob(at, value));
  }

  @Override
  public void setClob(int number, @Nullable Reader value, long length) throws SQLException {
    once(number, (on, at) -> on.setClob(at, value, length));
  }

  @Override
  public void setNClob(int number, @Nullable Reader value) throws SQLException {
    once(number, (on, at) -> on.setNClob(at, value));
  }

  @Override
  public void setNClob(int number, @Nullable Reader value, long length) throws SQLException {
    once(number, (on, at) -> on.setNClob(at, value, length));
  }

  @Override
  public void setBlob(int number, @Nullable Blob value) throws SQLException {
    once(number, (on, at) -> on.setBlob(at, value));
  }

  @Override
  public void setClob(int number, @Nullable Clob value) throws SQLException {
    once(number, (on, at) -> on.setClob(at, value));
  }

  @Override
  @Refused("pgjdbc offers no NClob")
  public void setNClob(int number, @Nullable NClob value) throws SQLException {
    throw unknownToDriver("setNClob");
  }

  @Override
  @Refused("pgjdbc offers no Ref")
  public void setRef(int number, @Nullable Ref value) throws SQLException {
    throw unknownToDriver("setRef");
  }

  @Override
  @Refused("pgjdbc offers no RowId")
  public void setRowId(int number, @Nullable RowId value) throws SQLException {
    throw unknownToDriver("setRowId");
  }

  @Override
  @Refused("pgjdbc offers no URL")
  public void setURL(int number, @Nullable URL value) throws SQLException {
    throw unknownToDriver("setURL");
  }

  static SQLException unknownToDriver(String method) {
    return new SQLFeatureNotSupportedException(
        method + " is not offered: pgjdbc does not know it either", "0A000");
  }
}
