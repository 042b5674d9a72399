import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.metrics.KafkaMetric;
import org.apache.kafka.common.metrics.MetricsReporter;
import org.apache.kafka.server.telemetry.ClientTelemetryExporter;
import org.apache.kafka.server.telemetry.ClientTelemetryExporterProvider;
import org.apache.kafka.shaded.io.opentelemetry.proto.metrics.v1.Metric;
import org.apache.kafka.shaded.io.opentelemetry.proto.metrics.v1.MetricsData;
import org.apache.kafka.shaded.io.opentelemetry.proto.metrics.v1.NumberDataPoint;

/** A node that prints the metrics which clients push: a properties file as for kafka.Kafka, with metric.reporters=CollectTelemetry$Collector. */
public class CollectTelemetry {
    public static void main(String[] arguments) {
        Thread.currentThread().setContextClassLoader(CollectTelemetry.class.getClassLoader()); // where the node looks for reporters
        kafka.Kafka.main(arguments);
    }

    public static class Collector implements MetricsReporter, ClientTelemetryExporterProvider {
        @Override
        public ClientTelemetryExporter clientTelemetryExporter() {
            return (context, payload) -> {
                ByteBuffer bytes = payload.data();
                try {
                    for (var resource : MetricsData.parseFrom(bytes).getResourceMetricsList())
                        for (var scope : resource.getScopeMetricsList())
                            for (Metric metric : scope.getMetricsList())
                                print(payload.clientInstanceId() + " " + payload.isTerminating(), metric);
                } catch (Exception e) {
                    throw new RuntimeException(e);
                }
            };
        }

        private static void print(String from, Metric metric) {
            boolean sum = metric.hasSum();
            String kind = sum ? metric.getSum().getAggregationTemporality() + " " + metric.getSum().getIsMonotonic() : "GAUGE";
            List<NumberDataPoint> points = sum ? metric.getSum().getDataPointsList() : metric.getGauge().getDataPointsList();
            for (NumberDataPoint point : points) {
                String value = point.hasAsInt() ? "int " + point.getAsInt() : "double " + point.getAsDouble();
                StringBuilder line = new StringBuilder("TELEMETRY " + from + " " + metric.getName() + " " + kind + " " + value);
                point.getAttributesList().forEach(pair -> line.append(" ").append(pair.getKey()).append("=").append(pair.getValue().getStringValue()));
                boolean timed = point.getTimeUnixNano() > 0 && sum == point.getStartTimeUnixNano() > 0;
                System.out.println(line + (timed ? "" : " WITHOUT TIMES"));
            }
        }

        @Override
        public void init(List<KafkaMetric> metrics) {}

        @Override
        public void metricChange(KafkaMetric metric) {}

        @Override
        public void metricRemoval(KafkaMetric metric) {}

        @Override
        public void close() {}

        @Override
        public void configure(Map<String, ?> configs) {}
    }
}
