"""SAP Business One over its Service Layer (OData 3 at ``/b1s/v1``, OData 4 at ``/b1s/v2``)."""
