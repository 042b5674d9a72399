import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.ScheduledFuture;
import java.util.function.Supplier;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.record.internal.FileRecords;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.requests.ProduceRequest;
import org.apache.kafka.common.requests.ProduceResponse.RecordError;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.server.storage.log.FetchIsolation;
import org.apache.kafka.server.util.Scheduler;
import org.apache.kafka.storage.internals.log.LogAppendInfo;
import org.apache.kafka.storage.internals.log.LogConfig;
import org.apache.kafka.storage.internals.log.LogDirFailureChannel;
import org.apache.kafka.storage.internals.log.ProducerStateManagerConfig;
import org.apache.kafka.storage.internals.log.RecordValidationException;
import org.apache.kafka.storage.internals.log.UnifiedLog;
import org.apache.kafka.storage.log.metrics.BrokerTopicStats;

/**
 * Appends each batch that it reads to a real log, at a fixed time, and says what became of it. A line in: "now config hex", config being "key=value,...".
 * A line out: "OK batch-as-in-the-log max-timestamp append-time" or "ERROR code exception record-indexes".
 */
public class AppendBatches {
    static long now;

    static final Time TIME = new Time() {
        public long milliseconds() {
            return now;
        }

        public long nanoseconds() {
            return now * 1_000_000L;
        }

        public void sleep(long ms) {
        }

        public void waitObject(Object obj, Supplier<Boolean> condition, long deadlineMs) {
        }
    };

    static final Scheduler NEVER = new Scheduler() {
        public void startup() {
        }

        public void shutdown() {
        }

        public void resizeThreadPool(int size) {
        }

        public ScheduledFuture<?> schedule(String name, Runnable task, long delayMs, long periodMs) {
            return null;
        }
    };

    static UnifiedLog open(File parent, int number, String config) throws Exception {
        Properties properties = new Properties();
        properties.put("segment.ms", Long.toString(Long.MAX_VALUE));
        for (String pair : config.split(",")) {
            if (!pair.isEmpty()) {
                properties.put(pair.substring(0, pair.indexOf('=')), pair.substring(pair.indexOf('=') + 1).replace(';', ','));
            }
        }
        return UnifiedLog.create(new File(parent, "t" + number + "-0"), new LogConfig(properties), 0, 0, NEVER, new BrokerTopicStats(), TIME, 1000,
            new ProducerStateManagerConfig(86_400_000, false), 600_000, new LogDirFailureChannel(1), true, Optional.empty());
    }

    static String append(UnifiedLog log, byte[] bytes) {
        try {
            MemoryRecords records = MemoryRecords.readableRecords(ByteBuffer.wrap(bytes));
            ProduceRequest.validateRecords((short) 12, records);
            LogAppendInfo info = log.appendAsLeader(records, 7);
            FileRecords written = (FileRecords) log.read(info.firstOffset(), Integer.MAX_VALUE, FetchIsolation.LOG_END, true).records;
            ByteBuffer buffer = ByteBuffer.allocate(written.sizeInBytes());
            written.readInto(buffer, 0);
            return "OK " + HexFormat.of().formatHex(buffer.array(), 0, buffer.limit()) + " " + info.maxTimestamp() + " " + info.logAppendTime();
        } catch (RecordValidationException e) {
            List<String> indexes = new ArrayList<>();
            for (RecordError error : e.recordErrors()) {
                indexes.add(Integer.toString(error.batchIndex));
            }
            return "ERROR " + Errors.forException(e.invalidException()).code() + " " + e.invalidException().getClass().getSimpleName() + " "
                + String.join(",", indexes);
        } catch (Throwable e) {
            return "ERROR " + Errors.forException(e).code() + " " + e.getClass().getSimpleName() + " -";
        }
    }

    public static void main(String[] arguments) throws Exception {
        File parent = Files.createTempDirectory("append-batches").toFile();
        if (arguments.length > 0) {
            parent = new File(arguments[0]);
        }
        Map<String, UnifiedLog> logs = new HashMap<>();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] fields = line.split(" ", -1);
            now = Long.parseLong(fields[0]);
            if (!logs.containsKey(fields[1])) {
                logs.put(fields[1], open(parent, logs.size(), fields[1]));
            }
            System.out.println(append(logs.get(fields[1]), HexFormat.of().parseHex(fields[2])));
            System.out.flush();
        }
    }
}
