{{ config(materialized='incremental', engine='MergeTree()', order_by='number', unique_key='number') }}
select number, owner, now64() as built from {{ ref('owned') }}
{% if is_incremental() %}where number >= 50{% endif %}
