"""What storage costs in S3 by default."""

from artifact_pipeline.domain.model.prices import PriceTable

LIST_PRICES = PriceTable(
    currency="USD",
    per_gb_month={
        "STANDARD": 0.023,
        "INTELLIGENT_TIERING": 0.023,
        "REDUCED_REDUNDANCY": 0.024,
        "STANDARD_IA": 0.0125,
        "ONEZONE_IA": 0.01,
        "GLACIER_IR": 0.004,
        "GLACIER": 0.0036,
        "DEEP_ARCHIVE": 0.00099,
    },
)
"""List prices of us-east-1: https://aws.amazon.com/s3/pricing/"""
